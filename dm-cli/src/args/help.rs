//! What stands below the arguments in the help of each command.

pub const DM: &str = "\
Begin like this:
  dm sample source > source.yaml     where the data is; edit it
  dm sample task > task.yaml         what to migrate, and where to; edit it
  dm validate task.yaml --source source.yaml
  dm explain task.yaml --source source.yaml
  dm run task.yaml --source source.yaml
In the background, as with DM's dmctl:
  dm operate-source create source.yaml
  dm start-task task.yaml
  dm query-status

Exit status: 0 done, or stopped as asked; 1 the task failed; 2 wrong usage or configuration;
130 stopped at once by a second Ctrl-C.";

pub const RUN: &str = "\
Examples:
  dm run task.yaml --source source.yaml
      Copy, then follow the binlog until Ctrl-C. The same command goes on afterwards.
  dm run task.yaml -s a.yaml -s b.yaml --until caught-up
      Two sources; end when the target has everything that the sources have.
  dm run task.yaml -s a.yaml --max-rows-per-second 5000 --max-bytes-per-second 4MiB
      Leave the target room to breathe.
  dm run task.yaml -s a.yaml --http 127.0.0.1:8262
      A page at http://127.0.0.1:8262/; /metrics for Prometheus, /health, /status as JSON.
  dm run task.yaml -s a.yaml --json | jq 'select(.event == \"status\")'
      One JSON object a line: start, warning, status, done, error.

Exit status: 0 done, or stopped as asked; 1 the task failed; 2 wrong usage or configuration;
130 stopped at once by a second Ctrl-C.";

pub const VALIDATE: &str = "\
Examples:
  dm validate task.yaml --source source.yaml
  dm validate task.yaml -s a.yaml -s b.yaml --secret-key-path key.hex

Exit status: 0 the files are right, maybe with warnings; 2 they are not.";

pub const CHECK_TASK: &str = "\
Examples:
  dm check-task task.yaml --source source.yaml
  dm check-task task.yaml -s a.yaml -s b.yaml --error 100 --warn 0
  dm check-task task.yaml -s a.yaml --json | jq '.detail.results[] | .name, .state'

`ignore-checking-items` in the task file leaves checks out; docs/checks.md lists them all.

Exit status: 0 nothing speaks against starting; 1 something does; 2 wrong usage or configuration.";

pub const CHECK_SOURCE: &str = "\
Examples:
  dm check-source source.yaml
  dm check-source a.yaml b.yaml --json

Exit status: 0 the sources can be used; 1 one cannot; 2 wrong usage or configuration.";

pub const EXPLAIN: &str = "\
Examples:
  dm explain task.yaml -s source.yaml --table shop.orders
      One table: copied, followed, by which rule, to which target, which events are left out.
  dm explain task.yaml -s source.yaml
      Ask the sources for their tables; also tells ambiguous routes, tables that come together,
      targets that differ only in case, tables that no route catches.
  dm explain task.yaml -s source.yaml --offline
      The rules, and the tables that they name.
  dm explain task.yaml -s source.yaml --json | jq '.tables[] | select(.migrated | not)'

Exit status: 0; 2 when the files are wrong or the routes contradict each other.";

pub const CHECKPOINT: &str = "\
Examples:
  dm checkpoint show my-task
  dm checkpoint set my-task --source mysql-1 mysql-bin.000012:4
  dm checkpoint set my-task --source mysql-1 '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77'
  dm checkpoint set my-task --source maria-1 --flavor mariadb 0-1-4711

The task must not be running.";

pub const ENCRYPT: &str = "\
Examples:
  dm encrypt < password.txt
      The text goes into `password:` of a task or source file.
  openssl rand -hex 32 > key.hex && dm encrypt --secret-key-path key.hex < password.txt
      With a key of your own, which every command then needs.

DM's built-in key is known to everybody: it hides a password from a glance, not from a reader.";

pub const DECRYPT: &str = "\
Examples:
  echo 'the text of dm encrypt' | dm decrypt
  dm decrypt --secret-key-path key.hex < encrypted.txt";

pub const SAMPLE: &str = "\
Examples:
  dm sample task > task.yaml
  dm sample source > source.yaml

The files can be used as they are, but for addresses. Every key stands in them, most of them
commented out with what holds without them.";

pub const EXPLAIN_ERROR: &str = "\
Examples:
  dm explain-error 36067
  dm explain-error db-driver
  dm explain-error 1062

Numbers are DM's wherever the meaning is DM's. Those of servers say what becomes of a task that meets them.";

pub const COMPLETIONS: &str = "\
Examples:
  dm completions bash > ~/.local/share/bash-completion/completions/dm
  dm completions zsh > ~/.zfunc/_dm
  dm completions fish > ~/.config/fish/completions/dm.fish";

pub const MAN: &str = "\
Examples:
  dm man > dm.1 && man ./dm.1
  dm man run > dm-run.1";

pub const HANDLE_ERROR: &str = "\
Examples:
  dm handle-error my-task skip
      Leave out the statement that the task has stopped at; then `dm resume-task` goes on.
  dm handle-error my-task -s mysql-1 replace \"ALTER TABLE shop.t ADD c INT; ALTER TABLE shop.t ADD UNIQUE (c)\"
      Run these instead of it.
  dm handle-error my-task -s mysql-1 -b mysql-bin.000012:4711 inject \"CREATE TABLE shop.u (id INT PRIMARY KEY)\"
      Run this before a statement, or before rows, that are still to come. Without -b also before the
      rows that the task has stopped at.
  dm handle-error my-task list
  dm handle-error my-task revert

What is noted lasts until it is taken back, whether the task runs, is stopped, or is started again. It
is noted for all sources that are meant, or for none. Names are those of the source; routes apply.
Whatever runs at the target, rows that follow are read in the shape that the source's own statement
gave their table. `dm binlog skip my-task` is the same in the words of newer releases of DM.

Exit status: 0 noted; 1 refused; 2 wrong usage.";

pub const BINLOG: &str = "\
Examples:
  dm binlog skip my-task
  dm binlog replace my-task -s mysql-1 \"ALTER TABLE shop.t ADD c INT; ALTER TABLE shop.t ADD UNIQUE (c)\"
  dm binlog inject my-task -s mysql-1 -b mysql-bin.000012:4711 \"CREATE TABLE shop.u (id INT PRIMARY KEY)\"
  dm binlog list my-task
  dm binlog revert my-task

`dm handle-error --help` says more: it is the same command in the words of older releases of DM.";

pub const OPERATE_SCHEMA: &str = "\
Examples:
  dm operate-schema get my-task -s mysql-1 -d shop -t orders
      The structure in which rows of the table are read, on one line in `msg`. `assumed` tells that it
      was taken from the target, `since` where the statement stands that made it so.
  dm operate-schema get my-task -s mysql-1 -d shop -t orders --at mysql-bin.000003:1542
      What it looked like there, before what begins at that position; `until` tells where that ended.
      A set of GTIDs stands for the place behind all of them.
  dm operate-schema set my-task -s mysql-1 -d shop -t orders orders.sql
      Read them in the structure of this file, which holds one CREATE TABLE.
  dm operate-schema set task.yaml --source-file source.yaml -d shop -t orders --from-source
      In the structure that the source's table has now; with --from-target, that the target's has.
  dm operate-schema remove my-task -s mysql-1 -d shop -t orders

`get` works while the task runs; the others need it paused or stopped. `dm binlog-schema` is the same in the
words of newer releases of DM.

Exit status: 0 done; 1 refused; 2 wrong usage.";

pub const BINLOG_SCHEMA: &str = "\
Examples:
  dm binlog-schema list my-task shop orders -s mysql-1
  dm binlog-schema list my-task shop orders -s mysql-1 --at mysql-bin.000003:1542
  dm binlog-schema update my-task shop orders orders.sql -s mysql-1
  dm binlog-schema update task.yaml shop orders --source-file source.yaml --from-target
  dm binlog-schema delete my-task shop orders -s mysql-1

`dm operate-schema --help` says more: it is the same command in the words of older releases of DM.";
