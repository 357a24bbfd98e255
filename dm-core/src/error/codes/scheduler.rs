//! Tasks and sources known to the state directory: 46001 and up.

codes! {
    TASK_MISSING = 46018 Scheduler Internal Medium "task-missing":
        "The state directory knows no task of this name.",
        "Check the name and `--state-dir`; `dm query-status` without a name lists the tasks.";
}
