//! The relay log: 28001 and up (its directory), 30001 and up (its unit),
//! 30901 and up (numbers of our own).

codes! {
    RELAY_INDEX = 28001 RelayEventLib Internal High "relay-index":
        "The index of the relay log directory cannot be read.",
        "";
    RELAY_UUID_SUFFIX = 28002 RelayEventLib Internal High "relay-uuid-suffix":
        "A directory of the relay log has a name without a valid number at its end.",
        "";
    RELAY_UUID_UNKNOWN = 28003 RelayEventLib Internal High "relay-uuid-unknown":
        "A server's relay log is not listed in the index.",
        "";
    RELAY_DIR_EMPTY = 28005 RelayEventLib Internal High "relay-dir-empty":
        "The relay log directory holds no binlog file.",
        "Wait until the relay has fetched a file, or check its state with `dm query-status`.";
    RELAY_SUFFIX_STEP = 30001 RelayUnit Internal High "relay-suffix-step":
        "The numbers of the relay log's directories have a gap.",
        "";
    RELAY_SUFFIX_ORDER = 30002 RelayUnit Internal High "relay-suffix-order":
        "The numbers of the relay log's directories go backwards.",
        "";
    RELAY_META_LOAD = 30003 RelayUnit Internal High "relay-meta-load":
        "The relay log's position cannot be read.",
        "";
    RELAY_BINLOG_NAME = 30004 RelayUnit Internal High "relay-binlog-name":
        "`relay-binlog-name` is not the name of a binlog file.",
        "Use a name of `SHOW BINARY LOGS` at the source, such as `mysql-bin.000001`.";
    RELAY_NO_UUID = 30005 RelayUnit Internal High "relay-no-uuid":
        "The relay log does not know which server it belongs to.",
        "";
    RELAY_META_FLUSH = 30006 RelayUnit Internal High "relay-meta-flush":
        "The relay log's position cannot be written.",
        "Check the free space and the permissions of the relay log directory.";
    RELAY_DIR_PATH = 30008 RelayUnit Internal High "relay-dir-path":
        "No relay log directory is given.",
        "Set `relay-dir` in the source file.";
    RELAY_START_GTID = 30014 RelayUnit Upstream High "relay-start-gtid":
        "The source refuses to send its binlog from this GTID set.",
        "Compare the set with `gtid_purged` of the source: what was purged cannot be fetched any more.";
    RELAY_READ = 30015 RelayUnit Upstream High "relay-read":
        "The relay cannot read from the source.",
        "";
    RELAY_PARSE = 30028 RelayUnit Internal High "relay-parse":
        "A relay log file cannot be read: it is damaged or cut off.",
        "Stop the relay, remove the file and those after it, and start again: they are fetched anew.";
    RELAY_PURGING = 30035 RelayUnit Internal High "relay-purging":
        "Relay log files are being removed already.",
        "";
    RELAY_PURGE_FORBIDDEN = 30037 RelayUnit Internal High "relay-purge-forbidden":
        "Relay log files cannot be removed now.",
        "Try again when the other operation on this relay log has ended.";
    RELAY_PURGE_NO_ACTIVE = 30038 RelayUnit Internal High "relay-purge-no-active":
        "It is not known which relay log files are still needed, so none is removed.",
        "Start the tasks of this source first.";
    RELAY_REMOVE = 30041 RelayUnit Internal High "relay-remove":
        "A relay log file cannot be removed.",
        "Check the permissions of the relay log directory.";
    RELAY_WRITE = 30901 RelayUnit Internal High "relay-write":
        "A file of the relay log cannot be read or written.",
        "Check the free space and the permissions of the relay log directory; then `dm resume-relay`, or `dm resume-task` of a task that reads it.";
    RELAY_OTHER_SERVER = 30044 RelayUnit Internal High "relay-other-server":
        "An event announces a change of file, but comes from another server.",
        "Check whether the address of the source leads to another server now; with a proxy in between, connect to the server itself.";
}
