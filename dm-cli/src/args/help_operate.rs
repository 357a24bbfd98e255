//! What stands below the arguments in the help of the commands that operate tasks.

pub const START: &str = "\
Examples:
  dm operate-source create source.yaml && dm start-task task.yaml
      Check, start in the background, answer when the sources work or say why they do not.
  dm start-task task.yaml --source-file source.yaml
      The same without a registered source.
  dm start-task task.yaml --source mysql-1
      Only this source's part; the others begin with a start-task of their own.
  dm start-task task.yaml --remove-meta
      Forget positions and marks of the task, and begin anew. Rows at the target stay.
  dm start-task task.yaml --http 127.0.0.1:8262
      With metrics, status and a page, as long as the process lives.

A task that was stopped goes on where it stood. Where a server is away the answer says so, and a
task that has begun before goes on by itself when it is back. The process logs to
<state-dir>/<task>.log. One source that cannot go on pauses; the others go on. An address of --http where nobody can listen, or
that others reach without TLS or a token, is refused here, and nothing begins; without --http nothing
is served. Exit status: 0 started, 1 not, 2 wrong usage.";

pub const PAUSE: &str = "\
Examples:
  dm pause-task my-task
  dm pause-task my-task --source mysql-1
      One source; the others go on.
  dm pause-task --source mysql-1
      In all tasks.

A paused task keeps its process; `dm resume-task` goes on. Exit status: 0 done, 1 not.";

pub const RESUME: &str = "\
Examples:
  dm resume-task my-task
      Go on after a pause, after an error was repaired, after the process was killed.
  dm resume-task my-task --safe-mode 10m
      Apply the next ten minutes of the source's binlog idempotently.
  dm resume-task my-task --safe-mode mysql-bin.000012:4
      The same up to a position.
  dm resume-task my-task --no-safe-mode
      Exactly, also after a stop at a duplicate key.

After a stop at a duplicate key everything up to where the source stands now is applied
idempotently, and the answer says so. Where a process has to be started it serves the same --http as
the one before it, or the one that is given here; where that of before cannot be served any more, the
task goes on without and the command says so. Exit status: 0 done, 1 not.";

pub const STOP: &str = "\
Examples:
  dm stop-task my-task
  dm stop-task task.yaml --source mysql-1

The positions stay: `dm start-task task.yaml` goes on where it stood. `dm reset` forgets them.
Exit status: 0 done, 1 not.";

pub const ADD_TABLE: &str = "\
Examples:
  dm add-table my-task --table shop.orders
      A table that the rules of the task let in, and that it does not carry.
  dm stop-task my-task && dm add-table task.yaml --table shop.orders && dm start-task task.yaml
      A table that the changed file lets in.
  dm add-table my-task --table shop.orders --cancel

The other tables are followed meanwhile; the stream stops for a moment when the table joins. `dm
query-status my-task` lists under `adding` what has not joined yet. A task that is paused or stopped
adds it when it goes on. Exit status: 0 noted, 1 refused.";

pub const QUERY_STATUS: &str = "\
Examples:
  dm query-status
      All tasks of ./dm-state, one line each.
  dm query-status my-task --state-dir /var/lib/dm | jq '.sources[].subTaskStatus[].sync'
  DM_STATE_DIR=/var/lib/dm dm query-status my-task --source mysql-1
  dm query-status --more
      All there is to know of all tasks.

On a terminal the answer is in words, elsewhere and with --json in DM's JSON. The task may run in
another process, or not at all: the answer is what its state file says.";

pub const OPERATE_SOURCE: &str = "\
Examples:
  dm operate-source create source1.yaml source2.yaml
      Both or, when something is wrong with one of them, neither. The servers are asked.
  dm operate-source show
  dm operate-source update source1.yaml
      While no task of it runs.
  dm operate-source stop mysql-1

start-task, run, validate and explain find registered sources by the ids in the task file.
Passwords are kept encrypted, never readable. Exit status: 0 done, 1 not.";

pub const GET_CONFIG: &str = "\
Examples:
  dm get-config task my-task
  dm get-config source mysql-1 --file source.yaml

Passwords are shown encrypted, as they are kept.";

pub const CONFIG: &str = "\
Examples:
  dm config export --dir configs
      configs/tasks/<task>.yaml and configs/sources/<source>.yaml, as DM writes them.
  dm config import --dir configs
      Registers the sources and starts the tasks, also of a directory that DM wrote.
  dm config task my-task
  dm config source mysql-1";

pub const START_RELAY: &str = "\
Examples:
  dm start-relay --source mysql-1
  dm start-relay -s mysql-1 worker1
      Names of workers are accepted as DM does, and without a meaning on one host.

The files lie in `relay-dir` of the source file, in DM's layout; docs/relay-log.md says more. A source
whose file has `enable-relay: true` needs no start-relay: the process of its first task keeps the files.
Exit status: 0 the files are kept, 1 not.";

pub const STOP_RELAY: &str = "\
Examples:
  dm stop-relay --source mysql-1

The files stay. It holds until start-relay, also for a source with `enable-relay: true`. Exit status:
0 done, 1 not.";

pub const PAUSE_RELAY: &str = "\
Examples:
  dm pause-relay --source mysql-1

Tasks of the source apply what is in the files, and wait. Exit status: 0 done, 1 not.";

pub const RESUME_RELAY: &str = "\
Examples:
  dm resume-relay --source mysql-1

Exit status: 0 the files are kept again, 1 not.";

pub const PURGE_RELAY: &str = "\
Examples:
  dm purge-relay --source mysql-1 --filename mysql-bin.000012
      All files before this one.
  dm purge-relay -s mysql-1 -f mysql-bin.000012 --sub-dir 3e11fa47-71ca-11e1-9e33-c80aa9429562.000001
      Of the server that the source was before.

What a task of the state directory needs stays, whether the task runs or not. `purge` of the source file
removes files by age and free space. Exit status: 0 done, 1 not.";

pub const SHOW_DDL_LOCKS: &str = "\
Examples:
  dm show-ddl-locks
  dm show-ddl-locks my-task

DDL of merged tables is not held back yet, so there are no locks.";

pub const HISTORY: &str = "\
Examples:
  dm history my-task
  dm history my-task --json | jq '.commands[] | select(.state == \"failed\")'

The commands that were given to a task, with their answers: the last thousand are kept.";

pub const RESET: &str = "\
Examples:
  dm reset my-task
      Says what it would remove, and asks.
  dm reset my-task --yes

Removes positions, structures and history of a stopped task, and its marks at the target. Migrated
rows stay: empty the target's tables by hand before the task copies again.";

pub const WATCH: &str = "\
Examples:
  dm watch my-task
  dm watch --interval 5

Ends with q and Enter, or Ctrl-C; the task goes on.";

pub const OWNER: &str = "\
`dm owner` is what start-task and resume-task start in the background; it takes the task from its
standard input and is not meant to be typed.";
