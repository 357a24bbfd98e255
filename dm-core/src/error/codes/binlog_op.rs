//! Binlog names and positions: 22001 and up.

codes! {
    BINLOG_POS_PARSE = 22001 BinlogOp Internal High "binlog-pos-parse":
        "A binlog position could not be read.",
        "Write it as mysql-bin.000003:154.";
    BINLOG_NAME = 22003 BinlogOp Internal High "binlog-name":
        "The name of a binlog file could not be read.",
        "Binlog files are named base.number, such as mysql-bin.000003.";
}
