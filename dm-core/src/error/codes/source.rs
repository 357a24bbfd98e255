//! Reading a MySQL or MariaDB source: 61001 and up, numbers of our own.

codes! {
    SOURCE_IDENTITY = 61001 SyncUnit Upstream High "source-identity":
        "The server is not the one that the stored position was taken from.",
        "A file and offset mean nothing on another server: point the source back at its server, or set `enable-gtid: true` so that positions hold on every replica; otherwise set a new position with `dm checkpoint set`.";
    SOURCE_GTID_MISSING = 61002 SyncUnit Upstream High "source-gtid-missing":
        "The source does not have transactions that were read from it before.",
        "The server was restored, reset or lost its last transactions (see sync_binlog), or it is a replica that is still behind: wait for it or point the source at a complete replica; if the transactions are gone for good, copy again.";
    SOURCE_PURGED = 61003 SyncUnit Upstream High "source-purged":
        "The source has purged binlog files that are still needed.",
        "Restore the missing binlog files on the source, read from a replica that still has them, or copy again; keep binlogs longer (binlog_expire_logs_seconds, expire_logs_days) or enable the relay log.";
    SOURCE_POSITION_BEYOND = 61004 SyncUnit Upstream High "source-position-beyond":
        "The stored position is beyond the end of the source's binlog.",
        "The source lost its last events (see sync_binlog) or its binlogs were reset: check both sides, then set a position with `dm checkpoint set` or copy again.";
    SOURCE_LOCK = 61005 DumpUnit Upstream High "source-lock":
        "A lock that makes the copy consistent was not obtained.",
        "Look for long running statements on the source, or choose another `--consistency` in the `extra-args` of the dump.";
    SOURCE_SNAPSHOT_ENDED = 61006 DumpUnit Upstream High "source-snapshot-ended":
        "A connection of the consistent snapshot is gone, so nothing more can be read of this instant.",
        "";
    SOURCE_SCHEMA = 61007 DumpUnit Upstream High "source-schema":
        "The structure of a source table cannot be understood.",
        "Exclude the table with the block-allow-list, and report its CREATE TABLE text.";
    SOURCE_UNSUPPORTED = 61008 SyncUnit Upstream High "source-unsupported":
        "The source's version or settings do not offer what is asked for.",
        "";
    DUMP_XA = 61010 DumpUnit Upstream High "source-prepared":
        "Prepared XA transactions of the source wait for their decision, so a copy would miss their rows.",
        "Find out whose they are (XA RECOVER lists them) and decide them with XA COMMIT or XA ROLLBACK, then start the task again.";
    SOURCE_HISTORY = 61011 SyncUnit Upstream High "source-history":
        "The source's binlog does not hold any more what was read from it: another transaction stands in its place.",
        "The source was restored from a copy, or its binlogs were reset and written anew: compare both sides, then set a position with `dm checkpoint set` or copy again.";
    SOURCE_VALUE = 61009 DumpUnit Upstream High "source-value":
        "A value of the source came in a form that cannot be understood.",
        "This is a defect: report the message and the table's structure.";
}
