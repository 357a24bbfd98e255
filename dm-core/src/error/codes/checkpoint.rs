//! Checkpoints and the state file: 24001 and up.

codes! {
    CHECKPOINT_MODE = 24001 Checkpoint Internal Medium "checkpoint-mode":
        "There is no point to start from for this mode.",
        "Give `meta` for the instance, or use `task-mode: all`.";
    CHECKPOINT_BACKWARDS = 24002 Checkpoint Internal High "checkpoint-backwards":
        "A checkpoint would move backwards.",
        "";
    CHECKPOINT_DUMP_FILE = 24003 Checkpoint Internal Medium "checkpoint-dump-file":
        "A file of the dump directory has a name that does not fit.",
        "";
    CHECKPOINT_NO_SCHEMA = 24004 Checkpoint Internal Medium "checkpoint-no-schema":
        "A checkpoint speaks of a schema that the dump directory lacks.",
        "The directory was changed after the copy had begun: put it back, or start anew with `--remove-meta`.";
    CHECKPOINT_NO_TABLE = 24005 Checkpoint Internal Medium "checkpoint-no-table":
        "A checkpoint speaks of a table that the dump directory lacks.",
        "The directory was changed after the copy had begun: put it back, or start anew with `--remove-meta`.";
    CHECKPOINT_OFFSET = 24006 Checkpoint Internal Medium "checkpoint-offset":
        "A checkpoint lies beyond the end of its file.",
        "The file was changed after the copy had begun: put it back, or start anew with `--remove-meta`.";
}
