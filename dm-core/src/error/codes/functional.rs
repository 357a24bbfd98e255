//! Helpers that belong to no unit: 11001 and up.

codes! {
    GTID_SET_PARSE = 11009 Functional Internal High "gtid-set-parse":
        "A GTID set could not be read.",
        "Check the GTID set: uuid:1-5[:tag:1-3],... for MySQL, domain-server-sequence,... for MariaDB.";
    UNKNOWN_FLAVOR = 11010 Functional Internal High "unknown-flavor":
        "The flavor of a source is neither mysql nor mariadb.",
        "Set `flavor: mysql` or `flavor: mariadb` in the source, or leave it out to have it detected.";
    ROW_IMAGE_INCOMPLETE = 11126 BinlogOp Upstream High "row-image-incomplete":
        "A row of the binlog does not carry all columns, and all of them are needed here.",
        "Set `binlog_row_image=FULL` on the source (and reconnect its clients), then copy the table again.";
}
