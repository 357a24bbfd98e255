//! Examples of the commands that take over from DM.

pub const CHECKPOINT: &str = "\
Examples:
  dm import-dm-checkpoint task.yaml --source source-1.yaml --source source-2.yaml
  dm run task.yaml --source source-1.yaml --source source-2.yaml

Stop the task in DM first. Its copy has to be finished; statements of merged tables that DM holds back
and online schema changes that are under way are a reason to refuse. What is up to the source's present
end of the binlog is applied idempotently then, because DM may have applied more than it has noted.";

pub const WORKER: &str = "\
Examples:
  dm import-dm-worker dm-worker.toml
  dm import-dm-worker inventory.ini --dir sources

Passwords are carried as they are written, encrypted ones too; the files can be read by you only.";
