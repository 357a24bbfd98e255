//! The keys of a source file.

use super::Kind::{Any, Bool, Int, List, One, Text, Texts, UInt};
use super::task::{
    FILTER, HOST, MAX_ALLOWED_PACKET, PASSWORD, PASSWORD_FILE, PORT, SECURITY, SESSION, USER,
};
use super::{Group, OURS, key};

pub(in crate::config) static SOURCE: Group = Group {
    title: "source file",
    intro: "One file describes one source: a server, or files that were taken from one.",
    keys: &[
        key("enable", Bool, "true", "6.x", "When false, tasks leave this source out."),
        key("source-id", Text, "", "5.3", "Id of the source; required, at most 32 characters."),
        key(
            "enable-gtid",
            Bool,
            "false",
            "5.3",
            "Positions are GTID sets rather than file and offset.",
        ),
        key("auto-fix-gtid", Bool, "false", "5.3", "").ignored("GTIDs are read from the files"),
        key("flavor", Text, "", "5.3", "`mysql` or `mariadb`; absent, the server is asked."),
        key(
            "server-id",
            UInt,
            "0",
            "5.3",
            "Id that we register with at the source; 0 chooses a free one.",
        ),
        key(
            "enable-relay",
            Bool,
            "false",
            "5.3",
            "Fetch the binlog to files first (docs/relay-log.md).",
        ),
        key(
            "relay-dir",
            Text,
            "relay-dir",
            "5.3",
            "Directory of these files, below the state directory unless it is absolute; the default is `relay-dir/<source-id>`.",
        ),
        key("relay-binlog-name", Text, "", "5.3", "First file to fetch."),
        key("relay-binlog-gtid", Text, "", "5.3", "GTID set to begin fetching after."),
        key("meta-dir", Text, "", "5.3", "").ignored("the state directory holds it"),
        key("charset", Text, "", "5.3", "")
            .ignored("the binlog says which character set a text is in"),
        key("tracer", Any, "", "5.3", "").ignored("there is no tracer"),
        key("from", One(&FROM), "", "5.3", "The server."),
        key("purge", One(&PURGE), "", "5.3", "When relay log files are removed."),
        key("checker", One(&CHECKER), "", "5.3", "How a failed task is tried again."),
        key(
            "case-sensitive",
            Bool,
            "false",
            "5.3",
            "Whether names in rules compare with regard to case for this source.",
        ),
        key(
            "filters",
            List(&FILTER),
            "[]",
            "5.3",
            "Event filters that hold for every task of this source; a task's own rule for the same patterns goes before.",
        ),
        key(
            "recorded",
            One(&RECORDED),
            "",
            OURS,
            "Files instead of a server; or, beside `from`, a dump directory instead of a copy.",
        ),
    ],
};

static FROM: Group = Group {
    title: "from",
    intro: "",
    keys: &[HOST, PORT, USER, PASSWORD, PASSWORD_FILE, MAX_ALLOWED_PACKET, SESSION, SECURITY],
};

static PURGE: Group = Group {
    title: "purge",
    intro: "",
    keys: &[
        key("interval", Int, "3600", "5.3", "Seconds between two looks."),
        key("expires", Int, "0", "5.3", "Hours after which a file is removed; 0 keeps it."),
        key("remain-space", Int, "15", "5.3", "GiB that are to stay free; 0 does not look."),
    ],
};

static CHECKER: Group = Group {
    title: "checker",
    intro: "",
    keys: &[
        key("check-enable", Bool, "true", "5.3", "Try a failed task again by itself."),
        key(
            "backoff-rollback",
            Text,
            "5m",
            "5.3",
            "After so long without trouble the wait is halved.",
        ),
        key(
            "backoff-max",
            Text,
            "5m",
            "5.3",
            "Longest wait; a server that does not answer is tried every 10 s at the latest.",
        ),
        key("check-interval", Text, "5s", "5.3", "").ignored("it is a constant"),
        key("backoff-min", Text, "1s", "5.3", "").ignored("it is a constant"),
        key("backoff-jitter", Bool, "true", "5.3", "").ignored("it is a constant"),
        key("backoff-factor", Int, "2", "5.3", "").ignored("it is a constant"),
    ],
};

static RECORDED: Group = Group {
    title: "recorded",
    intro: "",
    keys: &[
        key("dump-dir", Text, "", OURS, "Directory in the layout of Dumpling or mydumper."),
        key("binlog-files", Texts, "", OURS, "Binlog files in their order."),
        key(
            "binlog-dir",
            Text,
            "",
            OURS,
            "A directory instead: every file in it whose name ends in a number, in the order of numbers.",
        ),
        key("flavor", Text, "", OURS, "`mysql` or `mariadb`; absent, the files say it."),
    ],
};
