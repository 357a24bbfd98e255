//! Talking to a database server: 10001 and up.

codes! {
    DB_DRIVER = 10001 Database NotSet High "db-driver":
        "The connection to a database server failed or broke.",
        "Check that the server runs and can be reached from this host, and host, port, user and password.";
    DB_QUERY = 10005 Database NotSet High "db-query":
        "A query on a database server failed.",
        "";
    DB_EXECUTE = 10006 Database NotSet High "db-execute":
        "A statement on a database server failed.",
        "";
}
