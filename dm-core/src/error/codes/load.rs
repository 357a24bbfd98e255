//! Writing the full copy: 34001 and up.

codes! {
    LOAD_INSERT_END = 34002 LoadUnit Internal High "load-insert-end":
        "An INSERT of a dump file has no end.",
        "The file is cut off or damaged: take the dump again.";
    LOAD_SCHEMA_FILE = 34005 LoadUnit Internal High "load-schema-file":
        "A schema file of the dump directory cannot be read.",
        "";
    LOAD_SQL_PARSE = 34006 LoadUnit Internal High "load-sql-parse":
        "A statement of a dump file cannot be understood.",
        "";
    LOAD_DISPATCH = 34008 LoadUnit Internal High "load-dispatch":
        "A dump file cannot be given to a worker.",
        "";
    LOAD_ROUTER = 34010 LoadUnit Internal High "load-router":
        "The routes cannot be put together for loading.",
        "Check the patterns of the routes that the instance names.";
    LOAD_NAME_NO_SCHEMA = 34012 LoadUnit Internal High "load-name-no-schema":
        "The dump directory has a table's file, but not its schema's.",
        "";
    LOAD_NAME_NO_TABLE = 34013 LoadUnit Internal High "load-name-no-table":
        "The dump directory has a file of rows, but not its table's structure.",
        "";
    LOAD_NO_DIR = 34014 LoadUnit Internal High "load-no-dir":
        "The dump directory does not exist.",
        "";
    LOAD_TWO_SCHEMAS = 34015 LoadUnit Internal High "load-two-schemas":
        "The dump directory has two files for the structure of one schema or table.",
        "";
    LOAD_BLOCK_LIST = 34016 LoadUnit Internal High "load-block-list":
        "The block-allow-list cannot be put together for loading.",
        "Check the patterns of the list that the instance names.";
    LOAD_ELSEWHERE = 34017 Functional Internal High "load-elsewhere":
        "Another process has begun to load this dump.",
        "Stop the other process, or give this task another `name`.";
    LOAD_CHECKPOINT = 34018 Functional Internal High "load-checkpoint":
        "What is recorded of the load does not fit the dump directory.",
        "Put the directory back as it was, or start anew with `--remove-meta`, which loads everything again.";
    LOAD_FAILED = 34019 LoadUnit Internal High "load-failed":
        "Writing the full copy failed.",
        "";
    LOAD_DUPLICATES = 34020 LoadUnit Internal Medium "load-duplicates":
        "Rows of the full copy have the same key.",
        "Look at the rows that the message names; when several tables are merged, tell their rows apart by `extract-table` or a wider key, then resume.";
    LOAD_CHECKSUM = 34021 LoadUnit Internal Medium "load-checksum":
        "Source and target differ after the full copy.",
        "Compare both sides for the table named; rows written at the target by others while copying are the usual reason.";
}
