//! Helpers that belong to no unit: 11001 and up.

codes! {
    DUMP_METADATA = 11001 Functional Internal High "dump-metadata":
        "The metadata file of a dump directory cannot be read.",
        "Use the file as the dump tool wrote it, or give the position by `meta` of the instance.";
    SQL_PARSE = 11006 Functional Internal High "sql-parse":
        "A statement's text cannot be understood.",
        "";
    GTID_PARSE = 11009 Functional Internal High "gtid-parse":
        "A text is no GTID set.",
        "Write MySQL sets as `uuid:1-10,uuid:1-5` and MariaDB sets as `domain-server-sequence,...`.";
    FLAVOR_UNKNOWN = 11010 Functional Internal High "flavor-unknown":
        "The flavor of a source is neither `mysql` nor `mariadb`.",
        "Set `flavor` to `mysql` or `mariadb` in the source file, or leave it out to have it detected.";
    SERVER_ID_TAKEN = 11015 Functional Internal High "server-id-taken":
        "No free server id was found for reading the binlog.",
        "Set `server-id` in the source file to a number that no server and no replica of this source uses.";
    BINLOG_FILE_PARSE = 11038 Functional Internal High "binlog-file-parse":
        "A binlog file cannot be read: it is damaged or cut off.",
        "Compare the file with the server's own (`mysqlbinlog --verify-binlog-checksum`) and fetch it again.";
    STREAM_RESYNC = 11040 Functional Internal High "stream-resync":
        "The stream of events broke and has to be opened again.",
        "";
    ROUTER_BUILD = 11043 Functional Internal High "router-build":
        "The routes cannot be put together.",
        "Check the patterns of the routes that the instance names.";
    SECRET_KEY_LENGTH = 11044 Functional Internal High "secret-key-length":
        "A key for passwords has the wrong length; it is 32 bytes.",
        "Use a file with 64 hexadecimal characters.";
    CIPHERTEXT_SHORT = 11047 Functional Internal High "ciphertext-short":
        "An encrypted password is too short to be one.",
        "Encrypt the password again with `dm encrypt`.";
    CIPHERTEXT_FORM = 11048 Functional Internal High "ciphertext-form":
        "An encrypted password lacks the mark between its parts.",
        "Encrypt the password again with `dm encrypt`.";
    CIPHERTEXT_BASE64 = 11050 Functional Internal High "ciphertext-base64":
        "An encrypted password is not base64.",
        "Encrypt the password again with `dm encrypt`.";
    OPTIMISTIC_SYNC = 11111 Functional Internal Medium "optimistic-sync":
        "A DDL of a merged table contradicts what another table of the group did.",
        "Look at the structures with `dm show-ddl-locks`; bring them together by hand, then skip or replace the statement with `dm binlog`.";
    TLS_CONFIG = 11112 Functional Internal Medium "tls-config":
        "Certificates or keys for an encrypted connection cannot be used.",
        "Check that `ssl-ca`, `ssl-cert` and `ssl-key` are PEM files that this user can read, and that certificate and key belong together.";
    GTID_NO_RELAY_DIR = 11120 Functional Internal High "gtid-no-relay-dir":
        "No relay log directory holds this GTID set.",
        "";
    GTID_NO_RELAY_POS = 11121 Functional Internal High "gtid-no-relay-pos":
        "No place in the relay log fits this GTID set.",
        "";
    METADATA_NO_POSITION = 11123 Functional Upstream Low "metadata-no-position":
        "The metadata file of a dump directory names no binlog position.",
        "Take the dump from a server with its binlog turned on, or give the position by `meta` of the instance and use `task-mode: incremental`.";
    NO_PREVIOUS_GTIDS = 11124 Functional Internal High "no-previous-gtids":
        "A binlog file does not say which GTIDs came before it.",
        "";
    NO_MASTER_STATUS = 11125 Functional Upstream Medium "no-master-status":
        "The source names no current binlog position.",
        "Turn the binlog on at the source (`log_bin`), and give the user the privilege REPLICATION CLIENT.";
    ROW_IMAGE = 11126 BinlogOp Upstream High "row-image":
        "A row of the binlog lacks columns that are needed.",
        "Set `binlog_row_image` to FULL at the source; rows that were logged before have to be copied again.";
    OPTIMISTIC_REDIRECT = 11127 Functional Internal High "optimistic-redirect":
        "A DDL of a merged table waits until the other tables of the group have followed.",
        "";
    OPTIMISTIC_REUSED_COLUMN = 11128 Functional Internal Medium "optimistic-reused-column":
        "A column was added again that other tables of the group have not dropped yet.",
        "Let every table of the group drop the column first, or use another name.";
    ASYNC_DDL_CANCELLED = 11129 SyncUnit Internal High "async-ddl-cancelled":
        "The target cancelled or rolled back a DDL.",
        "Find the reason with `ADMIN SHOW DDL JOBS` at the target, then skip the statement with `dm binlog skip` or let it run again by resuming.";
    MASTER_STATUS_COLUMNS = 11130 Functional Upstream Medium "master-status-columns":
        "The source answered the question for its position in an unknown form.",
        "Check that the source is a supported MySQL or MariaDB and not a proxy that rewrites answers.";
}
