//! Comparing both sides: 43001 and up.

codes! {
    VALIDATOR_LOAD = 43001 Validator Internal High "validator-load":
        "What the comparison has stored cannot be read.",
        "";
    VALIDATOR_PERSIST = 43002 Validator Internal High "validator-persist":
        "What the comparison knows cannot be stored.",
        "";
    VALIDATOR_EVENT = 43003 Validator Internal High "validator-event":
        "The comparison cannot read the source's binlog.",
        "";
    VALIDATOR_PROCESS = 43004 Validator Internal High "validator-process":
        "The comparison cannot handle an event.",
        "";
    VALIDATOR_COMPARE = 43005 Validator Internal High "validator-compare":
        "Rows of both sides cannot be compared.",
        "";
    VALIDATOR_MISSING = 43006 Validator NotSet Medium "validator-missing":
        "The task has no comparison.",
        "";
    VALIDATOR_PANIC = 43007 Validator Internal High "validator-panic":
        "The comparison ended unexpectedly.",
        "";
    VALIDATOR_PENDING = 43008 Validator Internal Medium "validator-pending":
        "Too many rows wait for being compared.",
        "";
}
