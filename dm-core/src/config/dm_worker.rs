//! Source files from the configuration of DM 1.0, where each source had a worker of its own:
//! `dm-worker.toml`, and the `inventory.ini` of its Ansible playbooks.
//!
//! What is read is what DM's upgrade guide carries over by hand, and what has kept its meaning
//! beside that. What describes the process (addresses, logs) is named as left out; what would change
//! which rows are migrated and cannot be carried is an error.

use std::collections::BTreeMap;

use crate::error::{Error, Result, codes};

/// A source of a DM of 1.0, as a source file of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSource {
    /// Its id.
    pub source_id: String,
    /// The text of the source file. Holds the password as it was written.
    pub yaml: String,
    /// Keys that mean nothing here, in the order of names.
    pub left_out: Vec<String>,
}

/// Sections of `dm-worker.toml` that a source file has as well.
const SECTIONS: &[&str] = &["from", "from.security", "from.session", "purge", "checker"];

/// Keys outside of sections that a source file has as well.
const KEYS: &[&str] = &[
    "source-id",
    "server-id",
    "flavor",
    "enable-gtid",
    "relay-dir",
    "relay-binlog-name",
    "relay-binlog-gtid",
];

/// The variables of a worker in `inventory.ini` and the keys that they stand for.
const VARIABLES: &[(&str, &str)] = &[
    ("source_id", "source-id"),
    ("server_id", "server-id"),
    ("flavor", "flavor"),
    ("enable_gtid", "enable-gtid"),
    ("relay_binlog_name", "relay-binlog-name"),
    ("relay_binlog_gtid", "relay-binlog-gtid"),
    ("mysql_host", "from.host"),
    ("mysql_port", "from.port"),
    ("mysql_user", "from.user"),
    ("mysql_password", "from.password"),
];

/// A `dm-worker.toml`.
///
/// # Errors
///
/// 20205 with the line: not TOML of the kind that DM wrote, a source without id or host, event
/// filters.
pub fn from_worker_toml(text: &str) -> Result<WorkerSource> {
    let mut worker = Worker::default();
    let mut section = String::new();
    for (at, line) in text.lines().enumerate() {
        let line = without_comment(line).trim();
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            if name.contains("filters") {
                return Err(wrong(at, "event filters: write them into the task's `filters`"));
            }
            section = name.trim_matches(['[', ']']).trim().to_owned();
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| wrong(at, "neither `[section]` nor `key = value`"))?;
        let key = key.trim().trim_matches('"');
        let path = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        let known = if section.is_empty() {
            KEYS.contains(&key)
        } else {
            SECTIONS.contains(&section.as_str())
        };
        if known {
            worker.set(&path, toml_value(value.trim()).ok_or_else(|| wrong(at, "no value"))?);
        } else {
            worker.left_out.push(path);
        }
    }
    worker.finish("dm-worker.toml")
}

/// The sources of an `inventory.ini`: each host of `[dm_worker_servers]` with its own variables.
///
/// # Errors
///
/// As [`from_worker_toml`]; also when there is no such host.
pub fn from_inventory(text: &str) -> Result<Vec<WorkerSource>> {
    let mut found = Vec::new();
    let mut ours = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            ours = name == "dm_worker_servers";
            continue;
        }
        if !ours {
            continue;
        }
        let words = words(line).ok_or_else(|| wrong(at, "a quote is not closed"))?;
        let mut words = words.into_iter();
        let host = words.next().unwrap_or_default();
        let mut worker = Worker::default();
        for word in words {
            let (name, value) =
                word.split_once('=').ok_or_else(|| wrong(at, "expected `name=value`"))?;
            match VARIABLES.iter().find(|(variable, _)| *variable == name) {
                Some((_, key)) => worker.set(key, plain(value)),
                None => worker.left_out.push(name.to_owned()),
            }
        }
        found.push(worker.finish(&host)?);
    }
    if found.is_empty() {
        return Err(Error::new(&codes::CONFIG_VALUE, "no host stands under [dm_worker_servers]"));
    }
    Ok(found)
}

fn wrong(at: usize, why: &str) -> Error {
    Error::new(&codes::CONFIG_VALUE, format!("line {}: {why}", at + 1))
}

/// Keys with dots between sections, and their values as YAML.
#[derive(Default)]
struct Worker {
    values: BTreeMap<String, String>,
    left_out: Vec<String>,
}

impl Worker {
    fn set(&mut self, path: &str, value: String) {
        // These are texts, also where they look like numbers.
        let text = ["source-id", "from.host", "from.user", "from.password"].contains(&path);
        let value = if text && !value.starts_with('"') { quoted(&value) } else { value };
        self.values.insert(path.to_owned(), value);
    }

    fn finish(mut self, name: &str) -> Result<WorkerSource> {
        for key in ["source-id", "from.host"] {
            if !self.values.contains_key(key) {
                return Err(Error::new(&codes::CONFIG_VALUE, format!("{name}: there is no {key}")));
            }
        }
        let id = self.values.get("source-id").cloned().unwrap_or_default();
        let source_id = serde_json::from_str(&id).unwrap_or(id);
        let mut yaml = String::new();
        let (own, sections): (Vec<_>, Vec<_>) =
            self.values.iter().partition(|(key, _)| !key.contains('.'));
        for (key, value) in own {
            yaml.push_str(&format!("{key}: {value}\n"));
        }
        // In the order of names a section's own keys come before, or between, those of the section
        // inside of it; each is written where it belongs.
        for outer in ["from", "purge", "checker"] {
            let inside = |section: &str| {
                let prefix = format!("{section}.");
                let keys = sections.iter().filter_map(move |(key, value)| {
                    let rest = key.strip_prefix(&prefix)?;
                    (!rest.contains('.')).then_some((rest, *value))
                });
                keys.collect::<Vec<_>>()
            };
            let inner = ["security", "session"].map(|s| (s, inside(&format!("{outer}.{s}"))));
            let direct = inside(outer);
            if direct.is_empty() && inner.iter().all(|(_, keys)| keys.is_empty()) {
                continue;
            }
            yaml.push_str(&format!("{outer}:\n"));
            for (key, value) in direct {
                yaml.push_str(&format!("  {key}: {value}\n"));
            }
            for (section, keys) in inner.iter().filter(|(_, keys)| !keys.is_empty()) {
                yaml.push_str(&format!("  {section}:\n"));
                for (key, value) in keys {
                    yaml.push_str(&format!("    {key}: {value}\n"));
                }
            }
        }
        self.left_out.sort_unstable();
        Ok(WorkerSource { source_id, yaml, left_out: self.left_out })
    }
}

/// A line up to a `#` outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some('"'), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(q), c) if q == c && !escaped => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => return line.get(..at).unwrap_or(line),
            _ => {}
        }
        escaped = false;
    }
    line
}

/// A value of TOML as one of YAML.
fn toml_value(text: &str) -> Option<String> {
    if let Some(literal) = text.strip_prefix('\'') {
        return literal.strip_suffix('\'').map(quoted);
    }
    if text.starts_with('"') {
        // The escapes of TOML's strings that DM's files have are JSON's.
        return serde_json::from_str::<String>(text).ok().map(|t| quoted(&t));
    }
    if text.starts_with('[') {
        // A list of texts or numbers reads the same in both.
        return text.ends_with(']').then(|| text.to_owned());
    }
    (!text.is_empty()).then(|| plain(text))
}

/// A word without quotes: numbers and truth values bare, everything else as a text.
fn plain(text: &str) -> String {
    let digits = text.replace('_', "");
    if digits.parse::<i64>().is_ok() {
        return digits;
    }
    if matches!(text, "true" | "false") { text.to_owned() } else { quoted(text) }
}

/// A text of YAML that means exactly this.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The words of a line; blanks inside of quotes do not part them, and the quotes go.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut open) = (None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => (quote, open) = (Some(c), true),
            (None, '#') if !open => break,
            (None, c) if c.is_whitespace() => {
                if std::mem::take(&mut open) {
                    words.push(std::mem::take(&mut word));
                }
            }
            (None, c) => {
                open = true;
                word.push(c);
            }
        }
    }
    if open {
        words.push(word);
    }
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{SourceText, TaskPlan};

    const TOML: &str = r#"
# Worker
log-level = "info"
worker-addr = ":8262"   # not ours
server-id = 1_01
source-id = "replica # 1"
enable-gtid = true
[from]
host = "172.16.10.81"
user = 'ro"ot'
password = "VjX8cEeTX+qcvZ3bPaO4h0C80pe/1aU="
port = 3307
[from.security]
ssl-ca = "/ca.pem"
cert-allowed-cn = ["dm"]
[purge]
expires = 24
[tracer]
enable = false
"#;

    fn plan(yaml: &str) -> crate::config::TaskPlan {
        let task = "name: t\ntask-mode: all\ntarget-database: {host: 127.0.0.1, user: u}\n\
                    mysql-instances: [{source-id: \"replica # 1\"}]\n";
        TaskPlan::from_yaml(
            &SourceText { name: "task.yaml", text: task },
            &[SourceText { name: "source.yaml", text: yaml }],
            &|_| None,
        )
        .unwrap_or_else(|e| panic!("{e}\n{yaml}"))
        .0
    }

    #[test]
    fn a_worker_becomes_a_source() {
        let source = from_worker_toml(TOML).unwrap();
        assert_eq!(source.source_id, "replica # 1");
        assert_eq!(source.left_out, ["log-level", "tracer.enable", "worker-addr"]);
        let plan = plan(&source.yaml);
        let crate::config::SourceKind::Mysql(server) = &plan.sources[0].kind else { panic!() };
        assert!(server.enable_gtid);
        assert_eq!((server.conn.port, server.conn.user.as_str()), (3307, "ro\"ot"));
        assert_eq!(server.conn.tls.as_ref().unwrap().allowed_cn, ["dm"]);
    }

    #[test]
    fn an_inventory_has_many() {
        let text = "[dm_master_servers]\ndm_master ansible_host=172.16.10.71\n\n[dm_worker_servers]\n\
                    w1 ansible_host=172.16.10.72 server_id=101 source_id=\"replica # 1\" \
                    mysql_host=172.16.10.81 mysql_user=root mysql_password='VjX8 cE=' mysql_port=3306\n\
                    # w0 source_id=none\n\
                    w2 source_id=b enable_gtid=true mysql_host=h flavor=mariadb mysql_password=123\n\
                    [all:vars]\nx=1\n";
        let sources = from_inventory(text).unwrap();
        assert_eq!(sources.iter().map(|s| &*s.source_id).collect::<Vec<_>>(), ["replica # 1", "b"]);
        assert_eq!(sources[0].left_out, ["ansible_host"]);
        assert_eq!(
            sources[0].yaml,
            "server-id: 101\nsource-id: \"replica # 1\"\nfrom:\n  host: \"172.16.10.81\"\n  \
             password: \"VjX8 cE=\"\n  port: 3306\n  user: \"root\"\n"
        );
        assert!(sources[1].yaml.starts_with("enable-gtid: true\nflavor: \"mariadb\"\n"));
        plan(&sources[0].yaml);
    }

    #[test]
    fn what_cannot_be_carried_is_told() {
        let told = |text| from_worker_toml(text).unwrap_err().to_string();
        assert!(told("source-id = \"a\"\n").contains("there is no from.host"));
        assert!(told("source-id = \"a\"\n[[filters]]\n").contains("line 2: event filters"));
        assert!(told("what\n").contains("line 1"));
        assert!(from_inventory("[dm_worker_servers]\nw x='1\n").is_err());
        assert!(from_inventory("").unwrap_err().to_string().contains("[dm_worker_servers]"));
    }

    #[test]
    fn a_number_as_password_stays_a_text() {
        let text = "[dm_worker_servers]\nw source_id=1 mysql_host=h mysql_password=123\n";
        let yaml = from_inventory(text).unwrap().remove(0).yaml;
        assert!(yaml.contains("password: \"123\""), "{yaml}");
        assert!(yaml.contains("source-id: \"1\""), "{yaml}");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[\\[\\]a-z=\"'# \n\\\\-]{0,80}") {
            let _ = (from_worker_toml(&text), from_inventory(&text));
        }
    }
}
