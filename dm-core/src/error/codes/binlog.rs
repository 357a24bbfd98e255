//! Names of binlog files: 22001 and up.

codes! {
    BINLOG_TEXT = 22001 BinlogOp Internal High "binlog-text":
        "A text about binlog events cannot be understood.",
        "";
    BINLOG_FILE_NAME = 22002 BinlogOp Internal High "binlog-file-name":
        "A name is not that of a binlog file.",
        "Binlog files are named `base.number`, for instance `mysql-bin.000001`.";
    BINLOG_NAME_PARSE = 22003 BinlogOp Internal High "binlog-name-parse":
        "The number of a binlog file cannot be read from its name.",
        "Binlog files are named `base.number`, for instance `mysql-bin.000001`.";
}
