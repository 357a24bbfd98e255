//! Commands to tasks and the processes that run them: 66001 and up, numbers of our own.

codes! {
    COMMAND_UNKNOWN = 66001 Dmctl Internal Medium "command-unknown":
        "The running task does not know a command that was sent to it.",
        "The task runs under another version of this program than the one that sent the command: use one version for both, or stop and start the task.";
    OWNER_GONE = 66002 DmWorker Internal High "owner-gone":
        "The process that ran the task has ended without saying so: it was killed, or the machine went down.",
        "Nothing is lost or doubled: `dm resume-task` or `dm start-task` goes on where it stood. Look for the reason at the end of the task's log file and in the system's log (out of memory?).";
    OWNER_FAILED = 66003 DmWorker Internal High "owner-failed":
        "The process that was to run a task in the background did not come up.",
        "Read the end of the log file that the message names; `dm run` does the same in the foreground.";
    COMMAND_UNANSWERED = 66004 Dmctl Internal Medium "command-unanswered":
        "The process that runs the task did not answer a command in time.",
        "It carries the command out as soon as it can; ask `dm query-status`.";
    ONE_HOST = 66005 Dmctl Internal Low "one-host":
        "A command of a cluster means nothing on one host.",
        "";
    ADD_TABLE = 66006 Dmctl Internal Medium "add-table":
        "A table cannot be added to the task.",
        "";
    IMPORT_REFUSED = 66010 Dmctl Internal Medium "import-refused":
        "Where DM stands with a task cannot be taken over.",
        "Do what the message says; nothing has been changed here or at the target.";
}
