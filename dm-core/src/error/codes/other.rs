//! The HTTP interface, 49001 and up, and what has no class, 50000.

codes! {
    OPENAPI = 49001 Openapi Internal High "openapi":
        "A request cannot be answered.",
        "";
    OPENAPI_SOURCE = 49002 Openapi Internal High "openapi-source":
        "The source that a request names does not exist.",
        "List the sources first.";
    NOT_SET = 50000 NotSet NotSet High "not-set":
        "An error that has no code of its own.",
        "";
}
