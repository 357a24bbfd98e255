//! Configuration files: 20001 and up. Numbers from 20201 are ours.

codes! {
    CONFIG_CHECK_ITEM = 20001 Config Internal Medium "config-check-item":
        "`ignore-checking-items` names a check that does not exist.",
        "Use names of checks as `dm check-task` prints them, or `all`.";
    CONFIG_YAML = 20003 Config Internal Medium "config-yaml":
        "A configuration file is not valid YAML, or has an unknown key, a key twice, or a value of the wrong type.",
        "Correct the file at the line named.";
    CONFIG_NO_NAME = 20004 Config Internal Medium "config-no-name":
        "The part of a task that belongs to one source has no name.",
        "Set `name` in the task file.";
    CONFIG_NO_SOURCE_ID = 20005 Config Internal Medium "config-no-source-id":
        "An instance of a task names no source.",
        "Set `source-id` to the id that the source file gives.";
    CONFIG_LONG_SOURCE_ID = 20006 Config Internal Medium "config-long-source-id":
        "A `source-id` has more than 32 characters.",
        "Use a shorter `source-id` in the source file and in the task file.";
    CONFIG_ONLINE_SCHEME = 20007 Config Internal Medium "config-online-scheme":
        "`online-ddl-scheme` is neither `gh-ost` nor `pt`.",
        "Remove the key and set `online-ddl: true`: both tools are then recognised.";
    CONFIG_TIMEZONE = 20008 Config Internal Medium "config-timezone":
        "`timezone` is no time zone.",
        "Use a name such as `Asia/Shanghai` or an offset from `-12:59` to `+14:00`; `SYSTEM` and `Local` depend on a host and are refused.";
    CONFIG_PASSWORD = 20010 Config Internal Medium "config-password":
        "A password cannot be decrypted.",
        "Encrypt it again with `dm encrypt` under the key that this task uses, or write it as plain text, `${VARIABLE}` or `password-file`.";
    CONFIG_META_EMPTY = 20011 Config Internal Medium "config-meta-empty":
        "`meta` of an instance gives no position.",
        "Set `binlog-name` and `binlog-pos`, or `binlog-gtid` where the source has `enable-gtid: true`; or remove `meta`.";
    CONFIG_NULL_INSTANCE = 20012 Config Internal Medium "config-null-instance":
        "An entry of `mysql-instances` is empty.",
        "Fill the entry in or remove it; mind the indentation of the lines that follow the dash.";
    CONFIG_NO_INSTANCES = 20013 Config Internal Medium "config-no-instances":
        "The task has no source.",
        "Give at least one entry under `mysql-instances`.";
    CONFIG_SAME_SOURCE_ID = 20014 Config Internal Medium "config-same-source-id":
        "Two entries stand for one and the same source.",
        "Keep one entry for each `source-id`.";
    CONFIG_BOTH_MYDUMPER = 20015 Config Internal Medium "config-both-mydumper":
        "An instance has both `mydumper-config-name` and `mydumper`.",
        "Keep one of the two.";
    CONFIG_BOTH_LOADER = 20016 Config Internal Medium "config-both-loader":
        "An instance has both `loader-config-name` and `loader`.",
        "Keep one of the two.";
    CONFIG_BOTH_SYNCER = 20017 Config Internal Medium "config-both-syncer":
        "An instance has both `syncer-config-name` and `syncer`.",
        "Keep one of the two.";
    CONFIG_READ_FILE = 20018 Config Internal Medium "config-read-file":
        "A configuration file cannot be read.",
        "Check the path and its permissions.";
    CONFIG_TASK_NAME = 20019 Config Internal Medium "config-task-name":
        "The task has no name of its own.",
        "Set `name` to a text that no other task with the same target and `meta-schema` uses.";
    CONFIG_TASK_MODE = 20020 Config Internal Medium "config-task-mode":
        "`task-mode` is none of the known modes.",
        "Use `all`, `full` or `incremental` (or `load`, `load&sync` for an existing dump directory).";
    CONFIG_NO_TARGET = 20021 Config Internal Medium "config-no-target":
        "The task has no target.",
        "Give `target-database`.";
    CONFIG_META_REQUIRED = 20022 Config Internal Medium "config-meta-required":
        "The task begins in the binlog, but nothing says where.",
        "Give `meta` with the position where the copy was taken, or start with `--start-time`.";
    CONFIG_ROUTE_NAME = 20023 Config Internal Medium "config-route-name":
        "An instance uses a route that the task does not define.",
        "Define it under `routes`, or correct the name under `route-rules`.";
    CONFIG_FILTER_NAME = 20024 Config Internal Medium "config-filter-name":
        "An instance uses an event filter that the task does not define.",
        "Define it under `filters`, or correct the name under `filter-rules`.";
    CONFIG_MAPPING_NAME = 20025 Config Internal Medium "config-mapping-name":
        "An instance uses a column mapping.",
        "Column mappings no longer exist; remove `column-mapping-rules`.";
    CONFIG_BLOCK_NAME = 20026 Config Internal Medium "config-block-name":
        "An instance uses a block-allow-list that the task does not define.",
        "Define it under `block-allow-list`, or correct the name.";
    CONFIG_MYDUMPER_NAME = 20027 Config Internal Medium "config-mydumper-name":
        "An instance uses a dump configuration that the task does not define.",
        "Define it under `mydumpers`, or correct `mydumper-config-name`.";
    CONFIG_MYDUMPER_PATH = 20028 Config Internal Medium "config-mydumper-path":
        "`mydumper-path` is empty.",
        "Remove the key: no other program is run.";
    CONFIG_LOADER_NAME = 20029 Config Internal Medium "config-loader-name":
        "An instance uses a load configuration that the task does not define.",
        "Define it under `loaders`, or correct `loader-config-name`.";
    CONFIG_SYNCER_NAME = 20030 Config Internal Medium "config-syncer-name":
        "An instance uses a sync configuration that the task does not define.",
        "Define it under `syncers`, or correct `syncer-config-name`.";
    CONFIG_UNKNOWN_SOURCE = 20031 Config Internal Medium "config-unknown-source":
        "An instance names a source that is not known.",
        "Give the source's file with `--source`, or register it with `dm operate-source create`; then compare the ids.";
    CONFIG_DUPLICATE_NAME = 20032 Config Internal Medium "config-duplicate-name":
        "An instance names the same rule twice.",
        "Keep one of the entries.";
    CONFIG_SHARD_MODE = 20033 Config Internal Medium "config-shard-mode":
        "`shard-mode` is none of the known modes.",
        "Use `pessimistic` or `optimistic`, or remove the key when no tables are merged.";
    CONFIG_EVENT_FILTER = 20037 Config Internal High "config-event-filter":
        "An event filter cannot be used as written.",
        "Check its patterns, the names under `events`, the expressions under `sql-pattern`, and `action` (`Do`, `Ignore` or `Error`).";
    CONFIG_UNUSED = 20038 Config Internal High "config-unused":
        "The task defines something that no instance uses.",
        "Name it in the instance that needs it, or remove it.";
    CONFIG_EXPRESSION_KINDS = 20039 Config Internal High "config-expression-kinds":
        "An expression filter speaks of several kinds of changes.",
        "Write one filter for inserts, one for updates, one for deletes.";
    CONFIG_EXPRESSION_NAME = 20040 Config Internal High "config-expression-name":
        "An instance uses an expression filter that the task does not define.",
        "Define it under `expression-filter`, or correct the name under `expression-filters`.";
    CONFIG_EXPRESSION_GRAMMAR = 20041 Config Internal High "config-expression-grammar":
        "An expression of an expression filter cannot be understood.",
        "Write it as it would stand after SELECT; try it at the source.";
    CONFIG_EXPRESSION_TABLE = 20042 Config Internal High "config-expression-table":
        "An expression filter names no schema or no table.",
        "Set both `schema` and `table`; they are names, not patterns.";
    CONFIG_BACKOFF = 20043 Config Internal High "config-backoff":
        "`checker.backoff-max` is shorter than `checker.backoff-min`.",
        "Raise `backoff-max` to at least `1s`.";
    CONFIG_BLOCK_LIST = 20044 Config Internal High "config-block-list":
        "A block-allow-list cannot be used as written.",
        "Give every entry of `do-tables` and `ignore-tables` both `db-name` and `tbl-name`, and check the expressions after `~`.";
    CONFIG_ROUTE = 20045 Config Internal High "config-route":
        "A route cannot be used as written.",
        "Give `schema-pattern` and `target-schema`; check the patterns and the expressions.";
    CONFIG_CHUNK_SIZE = 20047 Config Internal High "config-chunk-size":
        "`chunk-filesize` is no size.",
        "Use a number of MiB, or a number with a unit: `64`, `256MiB`, `1GB`.";
    CONFIG_ONLINE_RULE = 20048 Config Internal High "config-online-rule":
        "A rule for the tables of online schema change tools cannot be used.",
        "Write a regular expression for the whole table name with exactly one group around the real name: `^_(.+)_gho$`.";
    CONFIG_ONLINE_RENAME = 20049 Config Internal High "config-online-rename":
        "A RENAME of an online schema change fits only one half of the rules.",
        "Set `shadow-table-rules` and `trash-table-rules` so that they fit the names that the tool uses.";
    CONFIG_COLLATION = 20052 Config Internal Medium "config-collation":
        "`collation_compatible` is neither `loose` nor `strict`.",
        "Use one of the two.";
    CONFIG_IMPORT_MODE = 20053 Config Internal Medium "config-import-mode":
        "`import-mode` is none of the known modes.",
        "Use `logical`.";
    CONFIG_ON_DUPLICATE = 20054 Config Internal Medium "config-on-duplicate":
        "`on-duplicate-logical` is none of the known words.",
        "Use `replace`, `error` or `ignore`.";
    CONFIG_VALIDATION_MODE = 20055 Config Internal High "config-validation-mode":
        "`mode` of a validator is none of the known words.",
        "Use `full`, `fast` or `none`.";
    CONFIG_VALIDATOR_NAME = 20056 Config Internal Medium "config-validator-name":
        "An instance uses a validator that the task does not define.",
        "Define it under `validators`, or correct `validator-config-name`.";
    CONFIG_START_TIME = 20057 Config Internal High "config-start-time":
        "The start time lies after everything in the binlog.",
        "Give an earlier `--start-time`; mind the time zone.";
    CONFIG_LOADER_DIR = 20058 Config Internal High "config-loader-dir":
        "`dir` of a loader cannot be used.",
        "Use a path of this host.";
    CONFIG_S3_DIR = 20059 Config Internal High "config-s3-dir":
        "A directory at a storage service cannot be used here.",
        "Use a path of this host.";
    CONFIG_SAFE_MODE_DURATION = 20060 Config Internal Medium "config-safe-mode-duration":
        "`safe-mode-duration` is no duration.",
        "Write it like `60s` or `1m30s`.";
    CONFIG_SAFE_MODE_ZERO = 20061 Config Internal Low "config-safe-mode-zero":
        "`safe-mode` is turned on and its duration is zero.",
        "Remove one of `safe-mode: true` and `safe-mode-duration: 0s`.";
    CONFIG_ON_DUPLICATE_PHYSICAL = 20062 Config Internal Medium "config-on-duplicate-physical":
        "`on-duplicate-physical` is none of the known words.",
        "Use `none` or `manual`.";
    CONFIG_CHECKSUM_PHYSICAL = 20063 Config Internal Medium "config-checksum-physical":
        "`checksum-physical` is none of the known words.",
        "Use `required`, `optional` or `off`.";
    CONFIG_COLUMN_MAPPING = 20064 Config Internal High "config-column-mapping":
        "The task has column mappings, which no longer exist.",
        "Remove `column-mappings`; to tell merged tables apart use `extract-table`, `extract-schema` or `extract-source` of a route.";
    CONFIG_ANALYZE = 20065 Config Internal Medium "config-analyze":
        "`analyze` is none of the known words.",
        "Use `required`, `optional` or `off`.";
    CONFIG_STRICT_OPTIMISTIC = 20066 Config Internal Medium "config-strict-optimistic":
        "`strict-optimistic-shard-mode` is set without `shard-mode: optimistic`.",
        "Set `shard-mode: optimistic`, or remove the key.";
    CONFIG_SECRET_KEY = 20067 Config Internal High "config-secret-key":
        "The file with the key for passwords cannot be used.",
        "The file holds 64 hexadecimal characters (32 bytes) and nothing else.";
    CONFIG_IMPORT_INTO_SOURCES = 20068 Config Internal High "config-import-into-sources":
        "`import-mode: import-into` does not go with several sources or a `shard-mode`.",
        "Use `import-mode: logical`.";
    CONFIG_IMPORT_INTO_DIR = 20069 Config Internal High "config-import-into-dir":
        "`import-mode: import-into` needs a directory at a storage service.",
        "Use `import-mode: logical`.";
    CONFIG_FOREIGN_KEYS = 20070 Config Internal Medium "config-foreign-keys":
        "An option does not go with `foreign_key_checks` turned on in `session`.",
        "Turn off `compact` and `multiple-rows`, or remove `foreign_key_checks` from `session`.";
    CONFIG_VARIABLE = 20201 Config Internal Medium "config-variable":
        "A `${VARIABLE}` of a configuration file has no value.",
        "Set the variable in the environment that the program runs in, or write the value.";
    CONFIG_EXTRA_ARGS = 20202 Config Internal Medium "config-extra-args":
        "`extra-args` of a dump holds something that cannot be used.",
        "Remove or correct the flag; the manual's page on the configuration lists those that are understood.";
    CONFIG_TARGET_KIND = 20203 Config Internal Medium "config-target-kind":
        "`target-database` does not say clearly what the target is.",
        "Give either `host` and its companions, or `sqlite`, or `script`.";
    CONFIG_SOURCE_KIND = 20204 Config Internal Medium "config-source-kind":
        "A source file does not say clearly where the source is.",
        "Give `from` for a server, or `recorded` with `dump-dir` and `binlog-files` or `binlog-dir` for files.";
    CONFIG_VALUE = 20205 Config Internal Medium "config-value":
        "A value of a configuration file is outside what its key allows.",
        "Use one of the values that the message names.";
    CONFIG_PASSWORD_FILE = 20206 Config Internal Medium "config-password-file":
        "A `password-file` cannot be used.",
        "Give a file that this user can read and whose first line is the password, and no `password` beside it.";
    CONFIG_NOT_YET = 20207 Config Internal Medium "config-not-yet":
        "The configuration asks for something that this release does not offer.",
        "Remove the key, or choose another value; the message names what is offered.";
}
