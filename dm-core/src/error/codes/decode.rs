//! Decoding binlog events, in our own numbers: 36901 and up.

codes! {
    BINLOG_CHECKSUM = 36901 SyncUnit Upstream High "binlog-checksum":
        "The checksum of a binlog event does not fit its bytes.",
        "Check the file on the source with `mysqlbinlog --verify-binlog-checksum`; a relay log can be deleted and fetched again, a broken binlog needs a new copy of the tables.";
    BINLOG_ENCRYPTED = 36902 SyncUnit Upstream High "binlog-encrypted":
        "The binlog file is encrypted.",
        "Read it from the running server instead of from its files: servers send binlogs decrypted.";
    BINLOG_PARTIAL_JSON = 36903 SyncUnit Upstream High "binlog-partial-json":
        "A partial JSON update cannot be applied to the row it belongs to.",
        "Set `binlog_row_value_options=''` and `binlog_row_image=FULL` on the source (and reconnect its clients), then copy the table again.";
    BINLOG_STATEMENT_TEXT = 36904 SyncUnit Upstream High "binlog-statement-text":
        "A statement of the binlog is not valid in the character set of the client that sent it.",
        "Give the statement by hand with `dm handle-error replace`, or skip it.";
}
