//! Tasks, their locks, stages and sources: 38001 (locks), 40001 (stages), 46001 and up (what is
//! registered).

codes! {
    LOCK_DDL_DIFFERS = 38016 DmMaster Internal High "lock-ddl-differs":
        "A merged table met another DDL than the one that its group waits with.",
        "Compare the statements with `dm show-ddl-locks`; bring the tables together by hand and skip the statement that does not fit.";
    LOCK_MISSING = 38019 DmMaster Internal High "lock-missing":
        "There is no such DDL lock.",
        "List the locks with `dm show-ddl-locks`; the id is written `task-`schema`.`table``.";
    LOCK_RESOLVING = 38020 DmMaster Internal High "lock-resolving":
        "A DDL lock is being resolved already.",
        "";
    LOCK_OWNER = 38022 DmMaster Internal High "lock-owner":
        "The owner of a DDL lock is not waiting for it.",
        "";
    TASK_WORKER = 38032 DmMaster Internal High "task-worker":
        "A part of the task reported an error.",
        "The part of the message after the source's name has its own code and advice.";
    TASK_META_MISSING = 38056 DmMaster Internal High "task-meta-missing":
        "What a task stored at the target is not known.",
        "";
    TASK_NOT_STARTED = 38058 DmMaster Internal High "task-not-started":
        "The task cannot start.",
        "";
    RELAY_STAGE = 40039 DmWorker Internal High "relay-stage":
        "The relay is not in the stage that this command needs.",
        "";
    SOURCE_ID_MISSING = 40005 DmWorker Internal Medium "source-id-missing":
        "A source file has no `source-id`.",
        "Give the source an id of up to 32 characters.";
    RELAY_START_NAME = 40007 DmWorker Internal Medium "relay-start-name":
        "`relay-binlog-name` is not the name of a binlog file.",
        "Use a name of `SHOW BINARY LOGS` at the source, such as `mysql-bin.000001`.";
    TASK_NOT_RUNNING = 40050 DmWorker Internal High "task-not-running":
        "The task does not run, and this command needs it to.",
        "";
    TASK_NOT_PAUSED = 40051 DmWorker Internal High "task-not-paused":
        "The task is not paused, and this command needs it to be.",
        "";
    TASK_UPDATE_PAUSED = 40052 DmWorker Internal High "task-update-paused":
        "A task's rules can be changed only while it is paused.",
        "Pause it with `dm pause-task`, change it, resume it.";
    SUBTASK_MISSING = 40054 DmWorker Internal High "subtask-missing":
        "The task has no part for this source.",
        "";
    SUBTASK_EXISTS = 40055 DmWorker Internal High "subtask-exists":
        "The task has a part for this source already.",
        "";
    TASK_SYNC_ONLY = 40056 DmWorker Internal High "task-sync-only":
        "The command works only while the binlog is followed.",
        "";
    TASK_NO_UNITS = 40060 DmWorker Internal High "task-no-units":
        "There is nothing to do in this mode.",
        "";
    RELAY_BEHIND = 40067 DmWorker Internal High "relay-behind":
        "The relay has not reached the point where following begins.",
        "";
    RELAY_PURGE_RUNS = 40068 DmWorker Internal High "relay-purge-runs":
        "Relay log files are being removed.",
        "Try again in a moment.";
    NO_SOURCE_BOUND = 40070 DmWorker Internal High "no-source-bound":
        "No source is known here.",
        "";
    NO_SUBTASK_CONFIG = 40073 DmWorker Internal Medium "no-subtask-config":
        "The configuration of a task's part is not stored.",
        "";
    NO_SOURCE_CONFIG = 40074 DmWorker Internal Medium "no-source-config":
        "The configuration of a source is not stored.",
        "";
    RELAY_GTID_COMPARE = 40078 DmWorker Internal High "relay-gtid-compare":
        "The positions of copy and relay cannot be compared.",
        "";
    ROUTE_AMBIGUOUS = 40080 DmWorker Internal High "route-ambiguous":
        "Several routes claim one table, and none is more right than the others.",
        "Narrow the patterns so that each table matches one route, or name only one of the routes in the instance.";
    UPDATE_FIELD = 40081 DmWorker Internal High "update-field":
        "This part of a task cannot be changed while it has begun.",
        "";
    VALIDATOR_NOT_PAUSED = 40082 DmWorker Internal High "validator-not-paused":
        "The comparison is not paused, and this command needs it to be.",
        "";
    SOURCE_EXISTS = 46007 Scheduler Internal Medium "source-exists":
        "A source of this id is registered already.",
        "";
    SOURCE_MISSING = 46008 Scheduler Internal Medium "source-missing":
        "No source of this id is registered.",
        "";
    SOURCE_IN_USE = 46010 DmMaster Internal Medium "source-in-use":
        "Tasks use this source.",
        "Stop the tasks that the message names first.";
    TASK_EXISTS = 46014 Scheduler Internal Medium "task-exists":
        "The task runs already for these sources.",
        "Look at it with `dm query-status`; stop it with `dm stop-task` before starting it anew.";
    TASK_MISSING_OPERATE = 46016 DmMaster Internal Medium "task-missing-operate":
        "There is no such task to operate on.",
        "List the tasks with `dm query-status`.";
    SOURCE_MISSING_OPERATE = 46017 DmMaster Internal Medium "source-missing-operate":
        "There is no such source to operate on.",
        "";
    TASK_MISSING = 46018 Scheduler Internal Medium "task-missing":
        "There is no such task.",
        "List the tasks with `dm query-status`.";
    RELAY_ELSEWHERE = 46020 Scheduler Internal High "relay-elsewhere":
        "The relay of this source is running already.",
        "Look at it with `dm query-status --source`; stop it with `dm stop-relay` first.";
    SOURCE_UPDATE = 46025 Scheduler Internal Low "source-update":
        "A source can be changed only while no task and no relay uses it.",
        "";
    SUBTASK_MISSING_SOURCES = 46034 Scheduler Internal Medium "subtask-missing-sources":
        "The task has no part for some of these sources.",
        "Compare the ids with those that `dm query-status` lists for the task.";
    SUBTASK_UPDATE = 46035 Scheduler Internal Low "subtask-update":
        "A task can be changed only while it is stopped.",
        "";
}
