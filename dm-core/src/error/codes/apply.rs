//! Writing at the target, in our own numbers: 36201 and up.

codes! {
    SYNC_NO_IDENTITY = 36201 SyncUnit Downstream High "sync-no-identity":
        "Changes that may have been applied before meet a target table in which no key names a row.",
        "Add a primary key to the target table, or copy the table again with `dm reset`.";
    SYNC_ROW_MISSING = 36202 SyncUnit Downstream High "sync-row-missing":
        "A row that the source changed or deleted is not at the target, and `missing-row: stop` is set.",
        "Find out who else writes to the target; set `missing-row: warn` to go on, and compare both sides afterwards.";
    FENCE_HELD = 36203 SyncUnit Downstream High "fence-held":
        "A connection of an earlier run still writes at the target.",
        "Wait until it has ended, or end it with KILL at the target, then start the task again.";
    STOPPED = 36204 SyncUnit Internal Low "stopped":
        "The task was asked to stop.",
        "";
    TARGET_FOREIGN = 36205 SyncUnit Downstream High "target-foreign":
        "The target's marks belong to another state file.",
        "Use the state directory that the task was started with; to begin anew, empty the target tables and use `dm reset`, or give the task another name.";
    LOAD_COUNT = 34201 LoadUnit Downstream High "load-count":
        "The target took fewer rows than were sent.",
        "";
    SYNC_DDL_IN_COPY = 36207 SyncUnit Upstream High "sync-ddl-in-copy":
        "A statement changed a table while the table was copied.",
        "Begin the copy anew with `dm reset`, at a time when no structure is changed.";
    SYNC_DDL_UNKNOWN = 36208 SyncUnit Downstream High "sync-ddl-unknown":
        "It is not known whether a statement ran at the target before the task died.",
        "Compare the three structures, bring the target table to the one after the statement by hand, then skip the statement with `dm binlog skip`.";
    AT_LEAST_ONCE = 36209 SyncUnit Downstream High "at-least-once":
        "The target cannot take marks, so a crash might repeat or mix up rows of this table.",
        "Grant the user of `target-database` CREATE, SELECT, INSERT, UPDATE, DELETE, ALTER and DROP on the schema that `meta-schema` names (dm_meta), or give the table a primary key; `at-least-once: allow` under `syncers` takes the risk.";
    MARKS_LOST = 36210 SyncUnit Downstream High "marks-lost":
        "The task began with marks at the target and cannot read or write them any more.",
        "Give the user of `target-database` the rights on the schema of `meta-schema` back, or begin anew with `dm reset`.";
    SYNC_PARTLY_CARRIED = 36211 SyncUnit Upstream High "sync-partly-carried":
        "A statement ties a table that is carried to one that is not, whose rows or structure are not known.",
        "Do at the target by hand what the statement did to the carried table (rows that were not followed have to be copied), then skip it with `dm binlog skip`, or give statements for it with `dm binlog replace`. Or carry both tables: change the block-allow-list and begin anew.";
    SYNC_TARGET_SHARED = 36212 SyncUnit Downstream High "sync-target-shared":
        "A schema was dropped, or a table dropped, emptied or renamed, where the target has tables or rows of others as well.",
        "Give what should happen at the target in place of it with `dm binlog replace` (\"DROP TABLE ...\", names as at the source), or leave it as it is with `dm binlog skip`; a `ddl-rules` entry says so for all of its kind (`action: warn` runs them as they are). With a `shard-mode` in the task file DROP and TRUNCATE are left out.";
    TXN_ORDER = 36206 SyncUnit Upstream High "txn-order":
        "The events of a transaction stand in an order that cannot be followed.",
        "Check the binlog at this position with mysqlbinlog; if the file is damaged, copy the tables again.";
}
