//! Following the binlog: 36001 and up.

codes! {
    SYNC_PANIC = 36001 SyncUnit Internal High "sync-panic":
        "A thread of the program ended unexpectedly.",
        "This is a defect: start the task again, nothing is lost, and report the message.";
    SYNC_COLUMN_COUNT = 36027 SyncUnit Internal High "sync-column-count":
        "A row of the binlog does not fit the tracked structure of its table.",
        "Give the structure that the table had at this position with `dm operate-schema set`, then resume.";
    SYNC_PARSE_STATEMENT = 36067 SyncUnit Internal High "sync-parse-statement":
        "A statement of the binlog cannot be read.",
        "Skip the statement or give another one in its place with `dm handle-error`, or ignore such statements with a binlog event filter (sql-pattern).";
}
