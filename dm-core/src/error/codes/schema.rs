//! Tracked table structures: 44001 and up.

codes! {
    SCHEMA_TABLE_UNKNOWN = 44005 SchemaTracker Internal High "schema-table-unknown":
        "The structure of a table is not known.",
        "Give the structure that the table had at this position with `dm operate-schema set`, then resume.";
    SCHEMA_APPLY = 44006 SchemaTracker Internal High "schema-apply":
        "A statement does not fit the tracked structure of its table.",
        "Compare `dm operate-schema get` with the source at this position, set the right structure with `dm operate-schema set`, then resume.";
    SCHEMA_NOT_CREATE_TABLE = 44009 SchemaTracker Internal Medium "schema-not-create-table":
        "The text is not one CREATE TABLE statement with columns.",
        "Give exactly one CREATE TABLE statement, as SHOW CREATE TABLE prints it.";
}
