//! The keys of a task file.

use super::Kind::{Any, Bool, Bytes, Int, List, Named, One, Text, TextMap, Texts, UInt};
use super::{Group, Key, OURS, key};

pub(in crate::config) static TASK: Group = Group {
    title: "task file",
    intro: "One file describes one task: where it reads, what it takes, where that goes.",
    keys: &[
        key("name", Text, "", "5.3", "Name of the task; required, and no two tasks of one target may share it."),
        key("task-mode", Text, "", "5.3", "`all` (copy, then follow), `full` (copy), `incremental` (follow), `load` and `load&sync` (an existing dump directory at `loaders.<name>.dir`); required."),
        key("is-sharding", Bool, "false", "5.3", "Same as `shard-mode: pessimistic`.").deprecated("use `shard-mode: pessimistic`"),
        key("shard-mode", Text, "", "5.3", "`pessimistic` or `optimistic`: how DDLs of merged tables are coordinated; empty when tables are not merged."),
        key("strict-optimistic-shard-mode", Bool, "false", "7.2", "In optimistic mode, stop at a conflict instead of deferring it."),
        key("ignore-checking-items", Texts, "[]", "5.3", "Checks to leave out before the start; `all` leaves out every one."),
        key("meta-schema", Text, "dm_meta", "5.3", "Schema of the target that holds the marks of what has been written."),
        key("enable-heartbeat", Bool, "false", "5.3", "").ignored("lag is measured without writing to the source"),
        key("heartbeat-update-interval", Int, "1", "5.3", "").ignored("there is no heartbeat"),
        key("heartbeat-report-interval", Int, "10", "5.3", "").ignored("there is no heartbeat"),
        key("timezone", Text, "", "5.3", "Time zone of TIMESTAMP values in expressions and of DDLs: a name or an offset; empty takes UTC for expressions and the target's offset elsewhere."),
        key("case-sensitive", Bool, "false", "5.3", "Whether names in rules compare with regard to case; a source may turn it on for itself."),
        key("collation_compatible", Text, "loose", "6.0", "`strict` writes the source's default collation into statements that create or change a table or database and name none."),
        key("target-database", One(&TARGET), "", "5.3", "The target; required."),
        key("mysql-instances", List(&INSTANCE), "", "5.3", "The sources of the task, at least one."),
        key("online-ddl", Bool, "true", "5.3", "Recognise gh-ost and pt-online-schema-change: their tables are not carried, and what changed them runs on the real table when that is replaced (docs/online-ddl.md)."),
        key("shadow-table-rules", Texts, "[\"^_(.+)_(?:new|gho)$\"]", "5.3", "Names of the tables that such a tool fills; the group is the real name. Given rules replace the default."),
        key("trash-table-rules", Texts, "[\"^_(.+)_(?:ghc|del|old)$\"]", "5.3", "Names of the tables that such a tool leaves behind, or needs beside; looked at after the shadow rules. Given rules replace the default."),
        key("online-ddl-scheme", Text, "", "5.3", "`gh-ost` or `pt`: turns `online-ddl` on.").deprecated("use `online-ddl: true`, which recognises both tools"),
        key("ddl-rules", List(&DDL_RULE), "[]", OURS, "What to do with statements of the sources, by their text."),
        key("routes", Named(&ROUTE), "{}", "5.3", "Where tables go; named by `route-rules` of an instance."),
        key("filters", Named(&FILTER), "{}", "5.3", "Which kinds of events pass; named by `filter-rules` of an instance."),
        key("column-mappings", Named(&COLUMN_MAPPING), "{}", "5.3", "Removed from DM; an error when used."),
        key("expression-filter", Named(&EXPRESSION), "{}", "5.3", "Which rows are left out while following; named by `expression-filters` of an instance."),
        key("block-allow-list", Named(&BLOCK_ALLOW), "{}", "5.3", "Which schemas and tables take part; named by `block-allow-list` of an instance."),
        key("black-white-list", Named(&BLOCK_ALLOW), "{}", "5.3", "Old name of `block-allow-list`; used only when that is absent.").deprecated("use `block-allow-list`"),
        key("mydumpers", Named(&MYDUMPER), "{}", "5.3", "How the copy reads; named by `mydumper-config-name`."),
        key("loaders", Named(&LOADER), "{}", "5.3", "How the copy is written; named by `loader-config-name`."),
        key("syncers", Named(&SYNCER), "{}", "5.3", "How the binlog is applied; named by `syncer-config-name`."),
        key("validators", Named(&VALIDATOR), "{}", "6.0", "How both sides are compared; named by `validator-config-name`."),
        key("clean-dump-file", Bool, "true", "5.3", "Remove the files that the copy made, when they are no longer needed."),
        key("ansi-quotes", Bool, "false", "5.3", "").ignored("the `sql_mode` of each statement is in the binlog"),
        key("remove-meta", Bool, "false", "5.3", "").ignored("use the flag `--remove-meta` of `start-task`"),
        key("experimental", One(&EXPERIMENTAL), "", "6.0", "Options that may change."),
        key("slow-ms", UInt, "", OURS, "What takes at least this many milliseconds at the target (a transaction, a statement) is logged, with its place in the binlog."),
        key("max-rows-per-second", UInt, "", OURS, "Most rows written to the target in a second, over all sources; absent is unlimited."),
        key("max-bytes-per-second", Text, "", OURS, "Most bytes written to the target in a second (`10MiB`), over all sources; absent is unlimited."),
        key("max-memory", Text, "64MiB", OURS, "Bytes that rows under way may occupy, over all sources."),
    ],
};

static DDL_RULE: Group = Group {
    title: "ddl-rules[]",
    intro: "A statement that changes structures, that the block-allow-list and the filters let pass, and about whose place no \
            operator has said anything (`dm handle-error`), is compared with the rules in their order; the first that matches \
            decides. A statement that cannot be read is compared, too. Of an online schema change each statement \
            that runs at the rename is compared, with the real table's name in it: ALTER TABLE `schema`.`table` ...",
    keys: &[
        key("match", Text, "", OURS, "A regular expression (of Rust's crate `regex`, no look-around); required. It is looked for anywhere in the statement's text as the binlog has it, comments included, white space at both ends removed; `^` and `$` are beginning and end of the text. Case does not matter (`(?-i)` at its start makes it matter), and `.` stands for line ends, too."),
        key("action", Text, "", OURS, "`skip`: it does not run at the target. `replace`: `sql` runs instead of it. `warn`: it runs, and the log says so. Required. All three are counted in `query-status`, and rows that follow are read in the shape that the source's own statement gave their table."),
        key("sql", Text, "", OURS, "With `replace`: the statements to run, semicolons between them, DDL only, names as at the source (routes apply; the schema may be left out where it is that of the statement's session). `$1`, `${1}` and `${name}` stand for the groups of `match`, `$$` for a dollar sign."),
    ],
};

static EXPERIMENTAL: Group = Group {
    title: "experimental",
    intro: "",
    keys: &[key("async-checkpoint-flush", Bool, "false", "6.0", "").ignored(
        "a checkpoint never holds up the workers",
    )],
};

static TARGET: Group = Group {
    title: "target-database",
    intro: "A server (`host` and its companions), or one of our own targets: `sqlite` or `script`.",
    keys: &[
        HOST, PORT, USER, PASSWORD, PASSWORD_FILE, MAX_ALLOWED_PACKET, SESSION, SECURITY,
        key("sqlite", Text, "", OURS, "An SQLite file to write to, created when absent. Types and keys are translated."),
        key("script", Text, "", OURS, "A file to write statements to, or `-` for standard output: a dry run."),
    ],
};

pub(super) const HOST: Key = key("host", Text, "", "5.3", "Name or address of the server; `${VARIABLE}` is replaced.");
pub(super) const PORT: Key = key("port", UInt, "3306", "5.3", "Port of the server.");
pub(super) const USER: Key = key("user", Text, "", "5.3", "User; `${VARIABLE}` is replaced.");
pub(super) const PASSWORD: Key = key("password", Text, "", "5.3", "Plain text, text of `dm encrypt` (with or without `enc:` before it), or `${VARIABLE}`.");
pub(super) const PASSWORD_FILE: Key = key("password-file", Text, "", OURS, "A file whose first line is the password.");
pub(super) const MAX_ALLOWED_PACKET: Key = key("max-allowed-packet", UInt, "", "5.3", "Longest statement in bytes; the server's own limit holds where that is lower.");
pub(super) const SESSION: Key = key("session", TextMap, "{}", "5.3", "Variables to set on every connection that writes. A source's are set while reading.");
pub(super) const SECURITY: Key = key("security", One(&SECURITY_GROUP), "", "5.3", "An encrypted connection.");

static SECURITY_GROUP: Group = Group {
    title: "security",
    intro: "Bytes go before base64, base64 before a path.",
    keys: &[
        key("ssl-ca", Text, "", "5.3", "PEM file of whom to trust, and of nobody else. Without it any certificate is taken."),
        key("ssl-cert", Text, "", "5.3", "PEM file of our certificate."),
        key("ssl-key", Text, "", "5.3", "PEM file of its key."),
        key("cert-allowed-cn", Texts, "[]", "5.3", "Common names of which the server's certificate has to carry one; needs `ssl-ca`."),
        key("ssl-verify-identity", Bool, "false", OURS, "The server's certificate has to name the `host`; needs `ssl-ca`."),
        key("ssl-ca-bytes", Bytes, "", "5.3", "The PEM text itself."),
        key("ssl-cert-bytes", Bytes, "", "5.3", "The PEM text itself."),
        key("ssl-key-bytes", Bytes, "", "5.3", "The PEM text itself."),
        key("ssl-ca-base64", Text, "", "8.x", "The PEM text in base64."),
        key("ssl-cert-base64", Text, "", "8.x", "The PEM text in base64."),
        key("ssl-key-base64", Text, "", "8.x", "The PEM text in base64."),
    ],
};

static INSTANCE: Group = Group {
    title: "mysql-instances[]",
    intro: "One entry for each source.",
    keys: &[
        key("source-id", Text, "", "5.3", "Id of the source, as in its own file; required, at most 32 characters."),
        key("meta", One(&META), "", "5.3", "Where following begins in `incremental` mode without a checkpoint."),
        key("filter-rules", Texts, "[]", "5.3", "Names under `filters`."),
        key("route-rules", Texts, "[]", "5.3", "Names under `routes`."),
        key("expression-filters", Texts, "[]", "5.3", "Names under `expression-filter`."),
        key("column-mapping-rules", Texts, "[]", "5.3", "Removed from DM; an error when used."),
        key("block-allow-list", Text, "", "5.3", "A name under `block-allow-list`."),
        key("black-white-list", Text, "", "5.3", "Old name of `block-allow-list`.").deprecated("use `block-allow-list`"),
        key("mydumper-config-name", Text, "", "5.3", "A name under `mydumpers`."),
        key("mydumper", One(&MYDUMPER), "", "5.3", "The same, written in place."),
        key("mydumper-thread", UInt, "", "5.3", "Overrides `threads`."),
        key("loader-config-name", Text, "", "5.3", "A name under `loaders`."),
        key("loader", One(&LOADER), "", "5.3", "The same, written in place."),
        key("loader-thread", UInt, "", "5.3", "Overrides `pool-size`."),
        key("syncer-config-name", Text, "", "5.3", "A name under `syncers`."),
        key("syncer", One(&SYNCER), "", "5.3", "The same, written in place."),
        key("syncer-thread", UInt, "", "5.3", "Overrides `worker-count`."),
        key("validator-config-name", Text, "", "6.0", "A name under `validators`."),
    ],
};

static META: Group = Group {
    title: "meta",
    intro: "",
    keys: &[
        key("binlog-name", Text, "", "5.3", "Binlog file."),
        key("binlog-pos", UInt, "4", "5.3", "Offset in it."),
        key("binlog-gtid", Text, "", "5.3", "GTID set to begin after; used when the source has `enable-gtid: true`."),
    ],
};

static ROUTE: Group = Group {
    title: "routes.<name>",
    intro: "Several routes that match one table are an error.",
    keys: &[
        key("schema-pattern", Text, "", "5.3", "Pattern of the source schema; required. `*` at the end, `?`, `[a-z]`, `[!a]`; `~` begins a regular expression."),
        key("table-pattern", Text, "", "5.3", "Pattern of the source table; empty for a route of whole schemas."),
        key("target-schema", Text, "", "5.3", "Required."),
        key("target-table", Text, "", "5.3", "Empty keeps the table's own name."),
        key("extract-table", One(&EXTRACT_TABLE), "", "6.4", "A target column filled from the source table's name."),
        key("extract-schema", One(&EXTRACT_SCHEMA), "", "6.4", "A target column filled from the source schema's name."),
        key("extract-source", One(&EXTRACT_SOURCE), "", "6.4", "A target column filled from the source's id."),
        key("columns", One(&COLUMNS), "", OURS, "Which columns are carried."),
    ],
};

const TARGET_COLUMN: Key = key("target-column", Text, "", "6.4", "The column; required.");

static EXTRACT_TABLE: Group = Group {
    title: "extract-table",
    intro: "",
    keys: &[key("table-regexp", Text, "", "6.4", "Its groups, joined, are the value."), TARGET_COLUMN],
};

static EXTRACT_SCHEMA: Group = Group {
    title: "extract-schema",
    intro: "",
    keys: &[key("schema-regexp", Text, "", "6.4", "Its groups, joined, are the value."), TARGET_COLUMN],
};

static EXTRACT_SOURCE: Group = Group {
    title: "extract-source",
    intro: "",
    keys: &[key("source-regexp", Text, "", "6.4", "Its groups, joined, are the value."), TARGET_COLUMN],
};

static COLUMNS: Group = Group {
    title: "columns",
    intro: "Exactly one of the two.",
    keys: &[
        key("include", Texts, "", OURS, "Only these columns."),
        key("exclude", Texts, "", OURS, "All but these columns."),
    ],
};

pub(super) static FILTER: Group = Group {
    title: "filters.<name>",
    intro: "An event passes when every rule that matches its table lets it pass.",
    keys: &[
        key("schema-pattern", Text, "", "5.3", "Pattern of the schema; required."),
        key("table-pattern", Text, "", "5.3", "Pattern of the table; empty for the whole schema."),
        key("events", Texts, "[]", "5.3", "Names of events and groups; the first that fits decides."),
        key("sql-pattern", Texts, "[]", "5.3", "Regular expressions searched for in a statement's text."),
        key("action", Text, "", "5.3", "`Do`, `Ignore` or `Error`; required."),
    ],
};

static COLUMN_MAPPING: Group = Group {
    title: "column-mappings.<name>",
    intro: "Removed from DM; an error when used.",
    keys: &[
        key("schema-pattern", Text, "", "5.3", ""),
        key("table-pattern", Text, "", "5.3", ""),
        key("expression", Text, "", "5.3", ""),
        key("source-column", Text, "", "5.3", ""),
        key("target-column", Text, "", "5.3", ""),
        key("arguments", Texts, "", "5.3", ""),
        key("create-table-query", Any, "", "5.3", ""),
    ],
};

static EXPRESSION: Group = Group {
    title: "expression-filter.<name>",
    intro: "Rows for which the expression is true are left out while following, not while copying.",
    keys: &[
        key("schema", Text, "", "5.3", "A name, no pattern; required."),
        key("table", Text, "", "5.3", "A name, no pattern; required."),
        key("insert-value-expr", Text, "", "5.3", "About the inserted row."),
        key("update-old-value-expr", Text, "", "5.3", "About the row before an update."),
        key("update-new-value-expr", Text, "", "5.3", "About the row after an update."),
        key("delete-value-expr", Text, "", "5.3", "About the deleted row."),
    ],
};

static BLOCK_ALLOW: Group = Group {
    title: "block-allow-list.<name>",
    intro: "",
    keys: &[
        key("do-dbs", Texts, "[]", "5.3", "Patterns of the schemas that take part; when empty, all do."),
        key("ignore-dbs", Texts, "[]", "5.3", "Patterns of those that do not; looked at only without `do-dbs`."),
        key("do-tables", List(&TABLE), "[]", "5.3", "Tables that take part; when empty, all of the schemas do."),
        key("ignore-tables", List(&TABLE), "[]", "5.3", "Tables that do not."),
    ],
};

static TABLE: Group = Group {
    title: "do-tables[], ignore-tables[]",
    intro: "",
    keys: &[
        key("db-name", Text, "", "5.3", "Pattern of the schema; required."),
        key("tbl-name", Text, "", "5.3", "Pattern of the table; required."),
    ],
};

static MYDUMPER: Group = Group {
    title: "mydumpers.<name>",
    intro: "",
    keys: &[
        key("mydumper-path", Text, "./bin/mydumper", "5.3", "").ignored("no other program is run"),
        key("threads", UInt, "4", "5.3", "Connections that read at a time."),
        key("chunk-filesize", Text, "64", "5.3", "A chunk is not meant to grow beyond this: a number of MiB, or a number with a unit."),
        key("statement-size", UInt, "1000000", "5.3", "Bytes that an INSERT is meant to have."),
        key("rows", UInt, "200000", "5.3", "Rows that one reader takes at a time."),
        key("where", Text, "", "5.3", "A condition that all copied rows fulfil."),
        key("skip-tz-utc", Bool, "true", "5.3", "").ignored("times are always copied exactly"),
        key("extra-args", Text, "", "5.3", "Flags of Dumpling or mydumper; they go before the keys above. See below."),
    ],
};

static LOADER: Group = Group {
    title: "loaders.<name>",
    intro: "",
    keys: &[
        key("pool-size", UInt, "16", "5.3", "Connections that write at a time."),
        key("dir", Text, "./dumped_data", "5.3", "In the modes `load` and `load&sync`, the dump directory to load; otherwise unused, since a copy needs no files."),
        key("import-mode", Text, "logical", "5.4", "`logical`: rows are written by INSERT or LOAD DATA."),
        key("on-duplicate", Text, "", "5.4", "").ignored("use `on-duplicate-logical`"),
        key("on-duplicate-logical", Text, "replace", "6.2", "What happens to a row whose key the target has: `replace`, `error` or `ignore`."),
        key("on-duplicate-physical", Text, "none", "7.1", "").ignored("rows are written by SQL"),
        key("disk-quota-physical", Text, "0", "7.1", "").ignored("rows are written by SQL"),
        key("checksum-physical", Text, "required", "7.1", "").ignored("rows are written by SQL"),
        key("analyze", Text, "optional", "7.1", "").ignored("rows are written by SQL"),
        key("sorting-dir-physical", Text, "", "7.1", "").ignored("rows are written by SQL"),
        key("range-concurrency", Int, "0", "7.1", "").ignored("rows are written by SQL"),
        key("compress-kv-pairs", Text, "", "7.1", "").ignored("rows are written by SQL"),
        key("pd-addr", Text, "", "7.1", "").ignored("rows are written by SQL"),
    ],
};

static SYNCER: Group = Group {
    title: "syncers.<name>",
    intro: "",
    keys: &[
        key("meta-file", Text, "", "5.3", "").ignored("positions are kept in the state directory"),
        key(
            "worker-count",
            UInt,
            "16",
            "5.3",
            "Connections that write at a time, at most: where the target gets as much done with fewer, fewer are used.",
        ),
        key("batch", UInt, "1000", "5.3", "The most rows that a target transaction is meant to have (DM: 100). Only what waits already is taken into one; source transactions are not split for it. `1` keeps them apart."),
        key("queue-size", UInt, "1024", "5.3", "Changes that may wait for a worker."),
        key("checkpoint-flush-interval", UInt, "30", "5.3", "Seconds between two checkpoints."),
        key("compact", Bool, "false", "5.3", "Accepted and not acted on: every change of a row is written, several of one row in one target transaction."),
        key("multiple-rows", Bool, "false", "5.3", "Accepted: changes of one kind are always one statement where the rows that it finds tell exactly which are missing, neighbours or not."),
        key("max-retry", Int, "0", "5.3", "").ignored("transient errors are tried again as long as they change"),
        key("auto-fix-gtid", Bool, "false", "5.3", "").ignored("GTIDs are read from the files"),
        key("enable-gtid", Bool, "false", "5.3", "").ignored("the source file's `enable-gtid` decides"),
        key("disable-detect", Bool, "false", "5.3", "").ignored("conflicts are always detected"),
        key("safe-mode", Bool, "false", "5.3", "Write every change so that writing it twice does no harm, for as long as the task runs."),
        key("safe-mode-duration", Text, "60s", "6.2", "How long that is done after a start at a target that cannot say what arrived; empty is twice `checkpoint-flush-interval`."),
        key("enable-ansi-quotes", Bool, "false", "5.3", "").ignored("the `sql_mode` of each statement is in the binlog"),
        key("missing-row", Text, "warn", OURS, "What happens when a changed row is not at the target: `ignore` (counted), `warn` (counted and reported), `stop`."),
        key("commit-order", Text, "key", OURS, "`key`: order is kept among transactions that touch the same rows; `source`: among all, which takes one writer (`worker-count` is 1 then)."),
        key("at-least-once", Text, "", OURS, "`allow`: write tables without a key, and merged tables, also to a target that cannot take marks, where a crash may repeat rows."),
    ],
};

static VALIDATOR: Group = Group {
    title: "validators.<name>",
    intro: "Checked; the comparison itself comes with a later release.",
    keys: &[
        key("mode", Text, "none", "6.0", "`none`, `fast` or `full`."),
        key("worker-count", Int, "4", "6.0", "Rows are compared by so many workers."),
        key("validate-interval", Text, "10s", "6.0", "How long changes are gathered before they are compared."),
        key("check-interval", Text, "5s", "6.0", "How often is looked whether there is something to compare."),
        key("row-error-delay", Text, "30m", "6.0", "A row that differs for so long is reported."),
        key("meta-flush-interval", Text, "5m", "6.0", "How often the progress is stored."),
        key("batch-query-size", Int, "100", "6.0", "Rows of one query."),
        key("max-pending-row-size", Text, "500m", "6.0", "Bytes of rows that may wait."),
        key("max-pending-row-count", Int, "2147483647", "6.0", "Rows that may wait."),
    ],
};
