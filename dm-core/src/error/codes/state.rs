//! Checkpoints and the state file: 24101 and up, numbers of our own.

codes! {
    STATE_DIR = 24101 Checkpoint Internal High "state-dir":
        "The state directory or a file in it cannot be used.",
        "Give a directory of a local disk that the user of this program owns (`--state-dir`).";
    STATE_NETWORK_FS = 24102 Checkpoint Internal High "state-network-file-system":
        "The state directory lies on a network file system, where locks and shared memory cannot be relied on.",
        "Put the state directory on a local disk (`--state-dir`).";
    STATE_OWNED = 24103 Checkpoint Internal Medium "state-owned":
        "Another process runs this task from this state directory.",
        "Stop the other process first (`dm stop-task`), or ask it with `dm query-status`.";
    STATE_CORRUPT = 24104 Checkpoint Internal High "state-corrupt":
        "The state file is damaged.",
        "Restore the state file (with its -wal file) from a backup; the marks at the target make an older copy safe. Without one, remove it and start the task anew.";
    STATE_FOREIGN = 24105 Checkpoint Internal High "state-foreign":
        "The file in the place of the state file is not one, or belongs to another task.",
        "Check `--state-dir`; move the foreign file away.";
    STATE_NEWER = 24106 Checkpoint Internal High "state-newer":
        "The state file was written by a newer version of this program.",
        "Use that version or a later one; an older one could misread the state.";
    STATE_BUSY = 24107 Checkpoint Internal Medium "state-busy":
        "Another process holds the state file locked for too long.",
        "Look for a program that has the file open (a sqlite3 shell with an open transaction, a backup) and end it.";
    STATE_IO = 24108 Checkpoint Internal High "state-io":
        "Reading or writing the state file failed.",
        "Check free space, rights and health of the disk that holds the state directory.";
    STATE_VALUE = 24109 Checkpoint Internal High "state-value":
        "The state file holds a value that cannot be understood.",
        "Restore the state file from a backup; the marks at the target make an older copy safe.";
    STATE_MISUSE = 24110 Checkpoint Internal High "state-misuse":
        "The state was asked for something that does not fit what it holds.",
        "This is a defect: start the task again, nothing is lost, and report the message.";
}
