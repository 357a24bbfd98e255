//! What an operator may ask of a migration while it runs, and what is answered.
//!
//! One [`Command`], one handler ([`super::Control::command`]), two doors: an embedding service calls
//! it, and other processes put the same command as a letter into the state file, where the running
//! task finds it. A command says what is wanted of sources; the sources' own threads carry it out.

use std::collections::BTreeMap;
use std::time::Duration;

use dm_filter::TableName;
use serde_json::{Value, json};

use crate::error::{Error, Result, codes};
use crate::operate::GivenStructure;
use crate::position::Position;

/// How a source applies what it meets first after a resume.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Safety {
    /// Idempotently up to the source's present end when it stopped at a duplicate key, exactly
    /// otherwise.
    #[default]
    Auto,
    /// Exactly, whatever it stopped at.
    Off,
    /// Idempotently for the transactions of this span, counted from where it stands.
    For(Duration),
    /// Idempotently up to this position.
    Upto(Position),
}

impl Safety {
    fn to_json(&self) -> Value {
        match self {
            Self::Auto => json!("auto"),
            Self::Off => json!("off"),
            Self::For(span) => json!({"seconds": span.as_secs()}),
            Self::Upto(position) => json!({"upto": position.to_text()}),
        }
    }

    fn from_json(value: Option<&Value>) -> Option<Self> {
        let Some(value) = value else { return Some(Self::Auto) };
        match value.as_str() {
            Some("auto") => return Some(Self::Auto),
            Some("off") => return Some(Self::Off),
            _ => {}
        }
        if let Some(seconds) = value.get("seconds").and_then(Value::as_u64) {
            return Some(Self::For(Duration::from_secs(seconds)));
        }
        let text = value.get("upto").and_then(Value::as_str)?;
        Position::from_text(text).ok().map(Self::Upto)
    }
}

/// What is to happen to the sources of a command.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verb {
    /// They stop at a safe point, stay known as paused, and go on with a resume.
    Pause,
    /// They go on: paused ones, and those that stopped at an error or wait to get over it.
    Resume(Safety),
    /// Their part of the task ends; starting the task again goes on where they stood.
    Stop,
    /// A part that was stopped, or was never started, begins.
    Start,
    /// Tables join the task: each of them at those of the sources that are named with it.
    Add(BTreeMap<String, Vec<TableName>>),
    /// An addition that has not come to its end is taken back.
    CancelAdd(TableName),
    /// Tables are given structures; only sources that are at rest can be.
    Structures(Vec<GivenStructure>),
}

impl Verb {
    /// The word that a letter carries: DM's name of the command.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pause => "pause-task",
            Self::Resume(_) => "resume-task",
            Self::Stop => "stop-task",
            Self::Start => "start-task",
            Self::Add(_) => "add-table",
            Self::CancelAdd(_) => "cancel-add-table",
            Self::Structures(_) => "operate-schema",
        }
    }

    /// What a letter says beside the sources: a key and its value.
    fn more(&self) -> Option<(&'static str, Value)> {
        Some(match self {
            Self::Pause | Self::Stop | Self::Start => return None,
            Self::Resume(safety) => ("safeMode", safety.to_json()),
            // These are written as texts and lists of texts: that cannot fail.
            Self::Add(tables) => ("tables", serde_json::to_value(tables).unwrap_or_default()),
            Self::CancelAdd(table) => ("table", serde_json::to_value(table).unwrap_or_default()),
            Self::Structures(given) => {
                ("structures", serde_json::to_value(given).unwrap_or_default())
            }
        })
    }

    fn from_letter(verb: &str, args: &Value) -> Option<Self> {
        fn read<T: serde::de::DeserializeOwned>(args: &Value, key: &str) -> Option<T> {
            serde_json::from_value(args.get(key)?.clone()).ok()
        }
        Some(match verb {
            "pause-task" => Self::Pause,
            "resume-task" => Self::Resume(Safety::from_json(args.get("safeMode"))?),
            "stop-task" => Self::Stop,
            "start-task" => Self::Start,
            "add-table" => Self::Add(read(args, "tables")?),
            "cancel-add-table" => Self::CancelAdd(read(args, "table")?),
            "operate-schema" => Self::Structures(read(args, "structures")?),
            _ => return None,
        })
    }
}

/// A command to a running migration.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What is to happen.
    pub verb: Verb,
    /// To which sources; to all of them when none is named.
    pub sources: Vec<String>,
}

impl Command {
    /// A command to all sources.
    pub fn to_all(verb: Verb) -> Self {
        Self { verb, sources: Vec::new() }
    }

    /// The arguments of the letter that carries it; its verb is [`Verb::as_str`].
    pub fn args(&self) -> Value {
        let mut args = json!({"sources": self.sources});
        if let (Some((key, value)), Some(map)) = (self.verb.more(), args.as_object_mut()) {
            map.insert(key.to_owned(), value);
        }
        args
    }

    /// The command that a letter carries.
    ///
    /// # Errors
    ///
    /// 40060 for a verb that is not known here (a newer program wrote it), or arguments of
    /// another form.
    pub fn from_letter(verb: &str, args: &Value) -> Result<Self> {
        let wrong = || {
            Error::new(&codes::COMMAND_UNKNOWN, format!("the running task knows no {verb} {args}"))
        };
        let sources = match args.get("sources") {
            None | Some(Value::Null) => Vec::new(),
            Some(names) => serde_json::from_value(names.clone()).map_err(|_| wrong())?,
        };
        let verb = Verb::from_letter(verb, args).ok_or_else(wrong)?;
        Ok(Self { verb, sources })
    }
}

/// What one source answers to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `source-id`.
    pub source: String,
    /// It is as was wanted.
    pub ok: bool,
    /// Why it is not, or what is worth knowing; empty when there is nothing to say.
    pub message: String,
}

/// What the checks before a run said ([`crate::check`]); empty when none was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// DM's `checkResult`.
    pub text: String,
    /// The warnings, a line each.
    pub warnings: Vec<String>,
}

/// What a migration answers to a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Why the command as a whole was refused; empty when it was not.
    pub refused: String,
    /// What each source says.
    pub answers: Vec<Answer>,
    /// What the checks said, where a process was started.
    pub checked: Checked,
}

impl Reply {
    /// A command that was refused as a whole.
    pub fn refuse(why: impl Into<String>) -> Self {
        Self { refused: why.into(), ..Self::default() }
    }

    /// True when everything is as was wanted.
    pub fn is_ok(&self) -> bool {
        self.refused.is_empty() && self.answers.iter().all(|a| a.ok)
    }

    /// The form in the state file.
    pub fn to_json(&self) -> Value {
        let answers: Vec<Value> = self
            .answers
            .iter()
            .map(|a| json!({"source": a.source, "ok": a.ok, "message": a.message}))
            .collect();
        let mut json = json!({"refused": self.refused, "answers": answers});
        if let (true, Some(fields)) = (self.checked != Checked::default(), json.as_object_mut()) {
            let Checked { text, warnings } = &self.checked;
            fields.insert("checked".to_owned(), json!({"text": text, "warnings": warnings}));
        }
        json
    }

    /// Reads what [`Reply::to_json`] wrote; what is missing counts as empty.
    pub fn from_json(value: &Value) -> Self {
        let text = |v: &Value, key: &str| {
            v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let answers = value.get("answers").and_then(Value::as_array);
        let checked = value.get("checked").unwrap_or(&Value::Null);
        let warnings = checked.get("warnings").and_then(Value::as_array);
        let warnings = warnings.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Self {
            checked: Checked { text: text(checked, "text"), warnings: warnings.collect() },
            refused: text(value, "refused"),
            answers: answers
                .into_iter()
                .flatten()
                .map(|a| Answer {
                    source: text(a, "source"),
                    ok: a.get("ok").and_then(Value::as_bool).unwrap_or(false),
                    message: text(a, "message"),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_carry_commands() {
        let upto = Position::at("b.000001:4".parse().unwrap());
        for verb in [
            Verb::Pause,
            Verb::Resume(Safety::Auto),
            Verb::Resume(Safety::Off),
            Verb::Resume(Safety::For(Duration::from_secs(90))),
            Verb::Resume(Safety::Upto(upto)),
            Verb::Stop,
            Verb::Start,
            Verb::Add(BTreeMap::from([("a".to_owned(), vec![TableName::new("s", "t.u")])])),
            Verb::CancelAdd(TableName::new("s", "t")),
            Verb::Structures(vec![GivenStructure {
                source: "a".to_owned(),
                table: TableName::new("s", "t"),
                schema: None,
                assumed: false,
            }]),
        ] {
            let command = Command { verb, sources: vec!["a".to_owned(), "b".to_owned()] };
            let back = Command::from_letter(command.verb.as_str(), &command.args()).unwrap();
            assert_eq!(back, command);
        }
    }

    #[test]
    fn strange_letters_are_refused() {
        for (verb, args) in [
            ("fly", json!({})),
            ("pause-task", json!({"sources": [1]})),
            ("pause-task", json!({"sources": 7})),
            ("resume-task", json!({"safeMode": {"upto": "nowhere:x:y"}})),
            ("resume-task", json!({"safeMode": 7})),
            ("add-table", json!({})),
            ("operate-schema", json!({"structures": [{"source": 1}]})),
        ] {
            let error = Command::from_letter(verb, &args).unwrap_err();
            assert_eq!(error.code(), &codes::COMMAND_UNKNOWN, "{verb} {args}");
        }
        assert_eq!(
            Command::from_letter("stop-task", &Value::Null).unwrap(),
            Command::to_all(Verb::Stop)
        );
    }

    #[test]
    fn replies_come_back() {
        let reply = Reply {
            refused: String::new(),
            answers: vec![Answer { source: "a".into(), ok: true, message: "x".into() }],
            checked: Checked { text: "well".into(), warnings: vec!["but".into()] },
        };
        assert_eq!(Reply::from_json(&reply.to_json()), reply);
        assert!(reply.is_ok() && !Reply::refuse("no").is_ok());
        assert!(!Reply::from_json(&json!({"answers": [{}]})).is_ok());
    }
}
