//! Tracked table structures: 44001 and up.

codes! {
    SCHEMA_STORED = 44001 SchemaTracker Downstream High "schema-stored":
        "A stored table structure cannot be read.",
        "";
    SCHEMA_CREATE_SCHEMA = 44002 SchemaTracker Internal High "schema-create-schema":
        "A schema cannot be tracked.",
        "";
    SCHEMA_CREATE_TABLE = 44003 SchemaTracker Internal High "schema-create-table":
        "A table cannot be tracked.",
        "";
    SCHEMA_MISSING = 44005 SchemaTracker Internal High "schema-missing":
        "The structure that a table had is not known.",
        "Give it with `dm operate-schema set`.";
    SCHEMA_DDL = 44006 SchemaTracker Internal High "schema-ddl":
        "A DDL does not fit the tracked structure of its table.",
        "Compare the tracked structure (`dm operate-schema get`) with the source's at this position, and correct it with `dm operate-schema set`.";
    SCHEMA_SHOW_CREATE = 44007 SchemaTracker Downstream Medium "schema-show-create":
        "The target does not show the structure of a table.",
        "";
    SCHEMA_TARGET_PARSE = 44008 SchemaTracker Internal High "schema-target-parse":
        "The structure that the target shows cannot be understood.",
        "";
    SCHEMA_NOT_CREATE = 44009 SchemaTracker Internal Medium "schema-not-create":
        "A statement should be CREATE TABLE and is not.",
        "";
    SCHEMA_RESTORE = 44010 SchemaTracker Internal Medium "schema-restore":
        "A statement cannot be written out again.",
        "";
    SCHEMA_DROP_TABLE = 44011 SchemaTracker Internal High "schema-drop-table":
        "A table cannot be dropped from what is tracked.",
        "";
    SCHEMA_NOT_FOUND = 44015 SchemaTracker Downstream High "schema-not-found":
        "The target lacks a table.",
        "";
    SCHEMA_CLOSED = 44020 SchemaTracker Internal High "schema-closed":
        "The tracked structures are not available any more.",
        "";
    SCHEMA_NOT_THEN = 44021 SchemaTracker Internal Medium "schema-not-then":
        "What a table looked like at a position is not known.",
        "Ask for a position that was read and is kept: `file:offset` of the server that is read now, or a GTID set. What was before, the source's own binlog tells.";
}
