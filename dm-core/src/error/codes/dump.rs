//! Reading the full copy: 32001 and up.

codes! {
    DUMP_FAILED = 32001 DumpUnit Internal High "dump-failed":
        "Reading the full copy failed.",
        "";
    DUMP_ROUTER = 32002 DumpUnit Internal High "dump-router":
        "The routes cannot be put together for the full copy.",
        "Check the patterns of the routes that the instance names.";
    DUMP_BLOCK_LIST = 32003 DumpUnit Internal High "dump-block-list":
        "The block-allow-list cannot be put together for the full copy.",
        "Check the patterns of the list that the instance names.";
    DUMP_GLOBAL_LOCK = 32004 DumpUnit Internal High "dump-global-lock":
        "The global read lock for a consistent copy was not obtained.",
        "Give the user RELOAD (or FLUSH_TABLES) and look for long running statements; where the lock is forbidden, as at some cloud services, set `extra-args: \"--consistency lock\"` or `none`.";
}
