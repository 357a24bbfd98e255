//! Old scripts: dmctl's global flags, its name, and the commands that only a cluster has.

use std::ffi::OsString;
use std::path::Path;

use dm_core::Error;
use dm_core::error::codes;
use serde_json::{Value, json};

use super::answers;
use crate::files::Failure;
use crate::out;

/// dmctl's flags that say how to reach a cluster; each takes a value.
const FLAGS: &[&str] = &["--master-addr", "--rpc-timeout", "--ssl-ca", "--ssl-cert", "--ssl-key"];

/// Commands that mean nothing on one host, and what replaces each.
const CLUSTER: &[(&str, &str)] = &[
    (
        "list-member",
        "there are no masters and workers: `dm query-status` lists the tasks, `dm operate-source show` the sources",
    ),
    (
        "offline-member",
        "there are no masters and workers: `dm stop-task` ends the process of a task",
    ),
    (
        "transfer-source",
        "there are no workers to move a source between: to run a task on another host, stop it, copy the state directory there, and start it there",
    ),
    ("operate-leader", "there is no leader: each task is a process of its own"),
    (
        "refresh-worker-tasks",
        "there are no workers: `dm query-status` reads the tasks anew every time",
    ),
    (
        "migrate-relay",
        "a source that moved is given with `dm operate-source update`; with GTIDs the task goes on by itself",
    ),
    (
        "validation",
        "there is no continuous validation: compare both sides at the cut-over, as docs/runbook/cut-over.md shows",
    ),
    (
        "update-task",
        "a task takes another file while it is paused: `dm pause-task`, edit the file, `dm resume-task task.yaml`",
    ),
    ("query-error", "`dm query-status TASK` shows the errors, with what to do"),
    ("sql-skip", "`dm binlog skip TASK -b FILE:POS` leaves a statement out"),
    ("sql-replace", "`dm binlog replace TASK -b FILE:POS SQL` runs others instead of a statement"),
    ("sql-inject", "`dm binlog inject TASK -b FILE:POS SQL` runs others before a statement"),
    ("update-relay", "the source file says how its relay log is kept: `dm operate-source update`"),
    (
        "switch-relay-master",
        "a source that moved is given with `dm operate-source update`; with GTIDs the relay log goes on by itself",
    ),
    ("update-master-config", "there are no masters and workers to configure"),
    ("update-worker-config", "there are no masters and workers to configure"),
    ("break-ddl-lock", "there is no DDL lock: DDL of merged tables is not held back"),
    ("unlock-ddl-lock", "there is no DDL lock: DDL of merged tables is not held back"),
];

/// What is left of a command line when dmctl's part is taken out.
pub struct Cleaned {
    pub args: Vec<OsString>,
    /// The program was called as `dmctl`.
    pub dmctl: bool,
    /// Flags that were taken out.
    ignored: Vec<&'static str>,
}

/// Takes dmctl's own flags out of a command line.
pub fn clean(args: impl IntoIterator<Item = OsString>, master: Option<&str>) -> Cleaned {
    let mut args = args.into_iter();
    let program = args.next().unwrap_or_default();
    let dmctl = Path::new(&program).file_stem().is_some_and(|name| name == "dmctl");
    let mut cleaned = Cleaned { args: vec![program], dmctl, ignored: Vec::new() };
    if master.is_some_and(|addr| !addr.is_empty()) {
        cleaned.ignored.push("DM_MASTER_ADDR");
    }
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        let (name, value) = match text.split_once('=') {
            Some((name, _)) => (name, true),
            None => (&*text, false),
        };
        // Old documents write the long flags with one dash, too.
        let flag = FLAGS.iter().find(|flag| **flag == name || flag.get(1..) == Some(name));
        // dmctl's configuration file says how to reach a cluster, too.
        let flag = flag.copied().or_else(|| (dmctl && name == "--config").then_some("--config"));
        if let Some(flag) = flag {
            cleaned.ignored.push(flag);
            if !value {
                args.next();
            }
        } else if cleaned.args.len() == 1
            && let Some(verb) = ["encrypt", "decrypt"]
                .into_iter()
                .find(|verb| name.trim_start_matches('-') == *verb && name.starts_with('-'))
        {
            cleaned.args.push(verb.into());
            if let Some((_, value)) = text.split_once('=') {
                cleaned.args.push(value.into());
            }
        } else {
            cleaned.args.push(arg);
        }
    }
    cleaned
}

impl Cleaned {
    /// One line about what was ignored.
    pub fn tell(&self) {
        let mut names = self.ignored.clone();
        names.dedup();
        if !names.is_empty() {
            let names = names.join(", ");
            out::tell(&format!("{names}: ignored, there is no cluster to reach"));
        }
    }

    /// The answer to a command that only a cluster has.
    pub fn cluster(&self) -> Option<Result<std::process::ExitCode, Failure>> {
        let verb = self.args.get(1)?.to_str()?;
        // `config master` and `get-config worker` are answered here, too.
        let second = self.args.get(2).and_then(|a| a.to_str()).unwrap_or_default();
        let config =
            matches!(verb, "config" | "get-config") && matches!(second, "master" | "worker");
        let template = matches!(verb, "config" | "get-config") && second == "task-template";
        // The newer words for the same.
        let verb = match (verb, second) {
            ("shard-ddl-lock", "unlock") => "unlock-ddl-lock",
            _ => verb,
        };
        let why = match CLUSTER.iter().find(|(name, _)| *name == verb) {
            Some((_, why)) => *why,
            None if config => "there are no masters and workers to configure",
            None if template => "there are no task templates: a task is its file",
            None => return None,
        };
        let helps = self.args.iter().any(|arg| arg == "--help" || arg == "-h");
        if helps {
            return Some(out::say(&format!("dm {verb}: {why}.")));
        }
        out::tell(&format!("{verb}: {why}"));
        // Nobody reads JSON at a terminal, unless it is asked for.
        let asked = self.dmctl || self.args.iter().any(|arg| arg == "--json");
        if !out::wants_json(asked) {
            return Some(Ok(std::process::ExitCode::FAILURE));
        }
        let no_lock = matches!(verb, "unlock-ddl-lock" | "break-ddl-lock");
        let code = if no_lock { &codes::LOCK_MISSING } else { &codes::ONE_HOST };
        let message = Error::new(code, why).to_string();
        Some(answers::print(&answers::answer(false, &message, keys(verb))))
    }
}

/// What else DM's answer to a command has, beside `result` and `msg`.
fn keys(verb: &str) -> Value {
    match verb {
        "list-member" => json!({"members": []}),
        "config" | "get-config" => json!({"cfg": ""}),
        "transfer-source" | "operate-leader" | "offline-member" | "unlock-ddl-lock" => json!({}),
        _ => json!({"sources": []}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(line: &str) -> (Vec<String>, Cleaned) {
        let cleaned = clean(line.split(' ').map(OsString::from), None);
        let args = cleaned.args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
        (args, cleaned)
    }

    #[test]
    fn flags_are_taken_out_wherever_they_stand() {
        for line in [
            "dmctl --master-addr 1.2.3.4:8261 start-task t.yaml",
            "dmctl start-task --master-addr=1.2.3.4:8261 t.yaml",
            "dmctl -master-addr 1.2.3.4:8261 start-task t.yaml --rpc-timeout 1m",
            "dmctl --ssl-ca a --ssl-cert=b --ssl-key c start-task t.yaml",
            "dmctl --config dmctl.toml start-task t.yaml",
        ] {
            let (args, cleaned) = cleaned(line);
            assert_eq!(args, ["dmctl", "start-task", "t.yaml"], "{line}");
            assert!(cleaned.dmctl && !cleaned.ignored.is_empty());
        }
        let (args, cleaned) = cleaned("/usr/bin/dm query-status --more");
        assert_eq!(args, ["/usr/bin/dm", "query-status", "--more"]);
        assert!(!cleaned.dmctl && cleaned.ignored.is_empty());
    }

    #[test]
    fn passwords_are_encrypted_as_before() {
        assert_eq!(cleaned("dmctl --encrypt abc").0, ["dmctl", "encrypt", "abc"]);
        assert_eq!(cleaned("dmctl -encrypt=abc").0, ["dmctl", "encrypt", "abc"]);
        assert_eq!(cleaned("dm --decrypt abc").0, ["dm", "decrypt", "abc"]);
        assert_eq!(cleaned("dm encrypt --encrypt").0, ["dm", "encrypt", "--encrypt"]);
    }
}
