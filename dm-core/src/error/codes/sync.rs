//! Following the binlog: 36001 and up.

codes! {
    SYNC_PANIC = 36001 SyncUnit Internal High "sync-panic":
        "A thread of the program ended unexpectedly.",
        "This is a defect: start the task again, nothing is lost, and report the message.";
    SYNC_TABLE_NAME = 36002 SyncUnit Internal High "sync-table-name":
        "A row change names no table that can be written.",
        "";
    SYNC_SHARD_ADD_TABLE = 36005 SyncUnit Internal Medium "sync-shard-add-table":
        "A table joins a group of merged tables while a DDL of the group is unfinished.",
        "Finish the DDL in every table of the group first; `dm show-ddl-locks` names those that are missing.";
    SYNC_SHARD_DROP_TABLE = 36006 SyncUnit Internal Medium "sync-shard-drop-table":
        "A table leaves a group of merged tables while a DDL of the group is unfinished.",
        "Finish the DDL in every table of the group first; `dm show-ddl-locks` names those that are missing.";
    SYNC_SHARD_META = 36007 SyncUnit Internal High "sync-shard-meta":
        "What is stored about DDLs of merged tables cannot be read.",
        "";
    SYNC_SHARD_ORDER = 36008 SyncUnit Internal High "sync-shard-order":
        "Merged tables ran their DDLs in different orders.",
        "Bring the structures of the tables together by hand, then skip what is done with `dm binlog skip`; `optimistic` mode needs no common order.";
    SYNC_SHARD_INDEX = 36009 SyncUnit Internal High "sync-shard-index":
        "The count of DDLs of merged tables is out of step.",
        "";
    SYNC_SHARD_GROUP_EXISTS = 36010 SyncUnit Internal High "sync-shard-group-exists":
        "A group of merged tables exists already.",
        "";
    SYNC_SHARD_GROUP_MISSING = 36011 SyncUnit Internal High "sync-shard-group-missing":
        "A group of merged tables does not exist.",
        "";
    SYNC_STATEMENT_FORMAT = 36014 SyncUnit Internal High "sync-statement-format":
        "The binlog holds a change of rows as a statement, which cannot be replicated exactly.",
        "Set `binlog_format` to ROW at the source, for all sessions; copy the table again that the statement changed.";
    SYNC_EVENT_TYPE = 36016 SyncUnit Internal High "sync-event-type":
        "The binlog holds an event of an unknown type.",
        "";
    SYNC_DDL_MANY_TABLES = 36022 SyncUnit Internal High "sync-ddl-many-tables":
        "One statement changes several merged tables.",
        "Write one statement for each table at the source; this one can be replaced with `dm binlog replace`.";
    SYNC_INJECT_SCHEMA = 36024 SyncUnit Internal Low "sync-inject-schema":
        "A statement given to run in place of another names no schema.",
        "Write names as `schema`.`table`.";
    SYNC_OPERATOR = 36025 SyncUnit Internal Medium "sync-operator":
        "This operation on a binlog event is not known.",
        "";
    SYNC_COLUMN_COUNT = 36027 SyncUnit Internal High "sync-column-count":
        "A row of the binlog does not fit the tracked structure of its table.",
        "Give the structure that the table had at this position with `dm operate-schema set`, then resume.";
    SYNC_VALUE_COUNT = 36028 SyncUnit Internal High "sync-value-count":
        "The two images of a changed row have different numbers of columns.",
        "";
    SYNC_EVENT_FILTER = 36030 SyncUnit Internal High "sync-event-filter":
        "An event filter cannot judge an event, or refuses it.",
        "Look at the rule that the message names; a rule with `action: Error` stops the task on purpose.";
    SYNC_ROUTER = 36031 SyncUnit Internal High "sync-router":
        "The routes cannot say where a table goes.",
        "Check the patterns of the routes that the instance names.";
    SYNC_ONLINE_SCHEME = 36040 SyncUnit Internal High "sync-online-scheme":
        "This way of online schema change is not known.",
        "Set `online-ddl: true`, which recognises gh-ost and pt-online-schema-change.";
    SYNC_ONLINE_MANY_TABLES = 36041 SyncUnit Internal High "sync-online-many-tables":
        "One event finishes online schema changes of several tables.",
        "Not met any more: each of them is carried out.";
    SYNC_ONLINE_RENAME_REAL = 36044 SyncUnit Internal High "sync-online-rename-real":
        "A table was renamed to a name that belongs to an online schema change tool.",
        "Rename it back at the source, or set `shadow-table-rules` so that they fit the names of the tool and no others; with `online-ddl: false` these are tables like any other.";
    SYNC_ONLINE_RENAME_GHOST = 36045 SyncUnit Internal High "sync-online-rename-ghost":
        "A table of an online schema change tool was renamed to a name that is not its real table's.",
        "Such a table's rows were not followed: leave its new name out with the block-allow-list, or start the task anew so that it is copied; skip this event with `dm binlog skip`.";
    SYNC_ONLINE_NO_DDL = 36046 SyncUnit Internal High "sync-online-no-ddl":
        "An online schema change ended whose beginning was not seen.",
        "Start from a position before the tool made its table; or run the change at the target by hand and skip this event with `dm binlog skip`.";
    SYNC_START_STREAM = 36053 SyncUnit Internal High "sync-start-stream":
        "The source does not send its binlog.",
        "";
    SYNC_UPDATE_OPEN_SHARD = 36058 SyncUnit Internal High "sync-update-open-shard":
        "The task's rules cannot be changed while a DDL of merged tables is unfinished.",
        "Finish the DDL in every table of the group first; `dm show-ddl-locks` names those that are missing.";
    SYNC_BLOCK_LIST = 36060 SyncUnit Internal High "sync-block-list":
        "The block-allow-list cannot be put together.",
        "Check the patterns of the list that the instance names.";
    SYNC_DDL_JOB = 36061 SyncUnit Internal High "sync-ddl-job":
        "A DDL failed at the target.",
        "";
    SYNC_OPTIMISTIC = 36062 SyncUnit Internal High "sync-optimistic":
        "A DDL of a merged table cannot be reconciled with the other tables of the group.",
        "Look at the structures with `dm show-ddl-locks`; bring them together by hand, then skip or replace the statement with `dm binlog`.";
    SYNC_EVENT = 36064 SyncUnit Internal High "sync-event":
        "An event of the binlog cannot be handled.",
        "";
    SYNC_OPERATOR_MISSING = 36065 SyncUnit Internal Low "sync-operator-missing":
        "No operation is noted for this position.",
        "";
    SYNC_OPERATOR_EVENT = 36066 SyncUnit Internal High "sync-operator-event":
        "An operation for a position lacks the statements it should run.",
        "Give them, separated by semicolons (\"ALTER TABLE ...; ...\"); where nothing is to run, `dm binlog skip`, or `action: skip` in a rule, leaves the statement out.";
    SYNC_DDL_PARSE = 36067 SyncUnit Internal High "sync-ddl-parse":
        "A DDL of the binlog cannot be understood.",
        "Skip it with `dm binlog skip` when the target does not need it, or give statements to run instead with `dm binlog replace`.";
    SYNC_UNSUPPORTED = 36068 SyncUnit Internal High "sync-unsupported":
        "A statement cannot be replicated in this mode.",
        "";
    SYNC_READ = 36069 SyncUnit Upstream High "sync-read":
        "Reading the source's binlog failed.",
        "Check the source's log and the network. When the binlog at the position was purged, the tables have to be copied again.";
    SYNC_NO_TARGET_TABLE = 36070 SyncUnit Internal High "sync-no-target-table":
        "The target lacks a table that a change belongs to.",
        "Create the table at the target, or leave it out with the block-allow-list; then resume.";
    SYNC_SAFE_MODE_ZERO = 36071 SyncUnit Internal Medium "sync-safe-mode-zero":
        "The last run ended in the middle, and `safe-mode-duration: 0s` forbids repeating what may be there already.",
        "Remove `safe-mode-duration: 0s`.";
}
