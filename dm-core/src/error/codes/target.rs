//! What a target refuses, as far as the sinks tell it themselves: numbers from 10211 are ours.

codes! {
    TARGET_OPEN = 10211 Database Downstream High "target-open":
        "The target file could not be opened, or is not one that this program made.",
        "Check the path, the rights of the file and its directory, and that the file is no other program's database.";
    TARGET_BUSY = 10212 Database Downstream High "target-busy":
        "The target file is locked by another writer and did not become free in time.",
        "End the other program that writes to the file; readers do not disturb.";
    TARGET_FENCED = 10213 Database Downstream High "target-fenced":
        "A newer writer has taken over, so that this one must not write any more.",
        "Make sure that only one process runs the task; if this is the newer one, start the task again.";
    TARGET_VALUE = 10215 Database Downstream High "target-value":
        "A value cannot be stored in its column of the target without changing it.",
        "Change the column at the target so that it can hold the value, or exclude the column by the route's `columns`.";
    TARGET_ROW = 10216 Database Downstream High "target-row":
        "A row does not fit the table at the target.",
        "Compare the structure of the table on both sides, and what else writes to it.";
    TARGET_DDL = 10217 Database Downstream High "target-ddl":
        "A statement cannot be carried out at this kind of target.",
        "Skip the statement with `dm handle-error <task> skip`, or replace it, and bring the table into the wanted form.";
    TARGET_CHUNK_TWICE = 10218 Database Downstream High "target-chunk-twice":
        "A chunk of the copy is in the target already.",
        "This is a defect or a state directory that is older than the target: start the task again.";
}
