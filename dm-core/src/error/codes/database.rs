//! Talking to a database server: 10001 and up.

codes! {
    DB_DRIVER = 10001 Database NotSet High "db-driver":
        "The connection to a database server failed or broke.",
        "Check that the server runs and can be reached from this host, and host, port, user and password.";
    DB_BAD_CONN = 10002 Database NotSet High "db-bad-conn":
        "A connection was found broken before anything was sent over it.",
        "Nothing was written through it. Check the server's log and the network between the hosts; the task connects anew.";
    DB_INVALID_CONN = 10003 Database NotSet High "db-invalid-conn":
        "A connection broke while a statement was under way, so that its outcome is unknown.",
        "Check the server's log and its timeouts. The task finds out by its marks what arrived, and goes on.";
    DB_OTHER = 10004 Database NotSet High "db-other":
        "The database client failed in a way that has no code of its own.",
        "";
    DB_QUERY = 10005 Database NotSet High "db-query":
        "A query on a database server failed.",
        "";
    DB_EXECUTE = 10006 Database NotSet High "db-execute":
        "A statement on a database server failed.",
        "";
    DB_BEGIN = 10007 Database NotSet High "db-begin":
        "A transaction could not be begun.",
        "";
}
