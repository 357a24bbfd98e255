//! A commented sample of a task file and of a source file, rendered from the table of keys.
//!
//! What every file needs stands there with a value; every other key is commented out, with what
//! holds without it. Keys without effect and keys that are deprecated are left out: a sample is
//! for new files.

use super::{Group, Key, Kind, OURS, SOURCE, Standing, TASK};

/// Widest line of a sample.
const WIDTH: usize = 100;

/// Values of the keys that are not commented out, by path.
const TASK_VALUES: &[(&str, &str)] = &[
    ("name", "my-task"),
    ("task-mode", "all"),
    ("target-database", ""),
    ("target-database.host", "127.0.0.1"),
    ("target-database.port", "4000"),
    ("target-database.user", "root"),
    ("target-database.password", "\"\""),
    ("mysql-instances", ""),
    ("mysql-instances.source-id", "mysql-1"),
];

const SOURCE_VALUES: &[(&str, &str)] = &[
    ("source-id", "mysql-1"),
    ("from", ""),
    ("from.host", "127.0.0.1"),
    ("from.port", "3306"),
    ("from.user", "dm"),
    ("from.password", "\"\""),
];

/// Keys that are in the table to be refused.
const REFUSED: [&str; 2] = ["column-mappings", "column-mapping-rules"];

/// A sample of a task file. It can be used as it is, beside [`sample_source`].
pub fn sample_task() -> String {
    let head = "A task file: where to read, what to take, where that goes.\n\
                Run it with `dm run FILE --source SOURCE-FILE`; check it with `dm validate`.";
    render(head, &TASK, TASK_VALUES)
}

/// A sample of a source file.
pub fn sample_source() -> String {
    let head = "A source file: one server to copy from and to follow.\n\
                Name it with `--source FILE`, once for each source of the task.";
    render(head, &SOURCE, SOURCE_VALUES)
}

fn render(head: &str, group: &'static Group, values: &'static [(&str, &str)]) -> String {
    let mut sample = Sample { out: String::new(), values };
    head.lines().for_each(|line| sample.line("", &format!("# {line}")));
    sample.line("", "# Lines with a `#` before a key say what holds without it.");
    sample
        .keys(group, &Place { path: String::new(), indent: String::new(), off: None, item: false });
    sample.out
}

/// Where a group's keys stand.
struct Place {
    path: String,
    indent: String,
    /// Inside of what is commented out: the indent at which the marks stand.
    off: Option<String>,
    /// The group is an entry of a list: its first key has a dash.
    item: bool,
}

/// An indent with the mark of what is commented out.
fn margin(indent: &str, off: Option<&str>) -> String {
    match off {
        None => indent.to_owned(),
        Some(at) => format!("{at}#{}", indent.strip_prefix(at).unwrap_or_default()),
    }
}

struct Sample {
    out: String,
    values: &'static [(&'static str, &'static str)],
}

impl Sample {
    fn line(&mut self, before: &str, text: &str) {
        self.out.push_str(before);
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn keys(&mut self, group: &'static Group, place: &Place) {
        let shown = |k: &&Key| k.standing == Standing::Used && !REFUSED.contains(&k.name);
        for (i, key) in group.keys.iter().filter(shown).enumerate() {
            if place.off.is_none() && (i > 0 || place.path.is_empty()) {
                self.out.push('\n');
            }
            self.key(key, place, place.item && i == 0);
        }
    }

    fn key(&mut self, key: &'static Key, place: &Place, first: bool) {
        let path = super::join(&place.path, key.name);
        let value = self.values.iter().find(|(p, _)| *p == path).map(|(_, v)| *v);
        let own = if place.item { format!("{}  ", place.indent) } else { place.indent.clone() };
        self.meaning(key, &margin(&own, place.off.as_deref()));
        let (at, dash) = if first { (&place.indent, "- ") } else { (&own, "") };
        let off = match value {
            Some(_) => place.off.clone(),
            None => Some(place.off.clone().unwrap_or_else(|| at.clone())),
        };
        let before = margin(at, off.as_deref());
        let Some((group, form)) = inner(key) else {
            let text = format!("{dash}{}: {}", key.name, value.unwrap_or(placeholder(key)));
            return self.line(&before, text.trim_end());
        };
        self.line(&before, &format!("{dash}{}:", key.name));
        // Entries of a list stand below their key, as DM's own files have them.
        let mut indent = if form == Form::Item { own } else { format!("{own}  ") };
        if form == Form::Named {
            self.line(&margin(&indent, off.as_deref()), "my-name:");
            indent.push_str("  ");
        }
        self.keys(group, &Place { path, indent, off, item: form == Form::Item });
    }

    fn meaning(&mut self, key: &Key, margin: &str) {
        let mut text = key.meaning.to_owned();
        if key.since == OURS {
            text.push_str(" DM does not have this key.");
        }
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.len() > 1 && margin.len() + line.chars().count() + word.chars().count() >= WIDTH
            {
                self.line(margin, &line);
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        if line.len() > 1 {
            self.line(margin, &line);
        }
    }
}

/// How the keys of a group stand below theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    /// As an entry of a list.
    Item,
    /// Under a name of the user's choice.
    Named,
}

/// The group inside of a key. What may also be written in place is explained where it has a name.
fn inner(key: &Key) -> Option<(&'static Group, Form)> {
    match key.kind {
        Kind::One(_) if key.meaning.starts_with("The same") => None,
        Kind::One(group) => Some((group, Form::Plain)),
        Kind::List(group) => Some((group, Form::Item)),
        Kind::Named(group) => Some((group, Form::Named)),
        _ => None,
    }
}

/// What stands behind a key that is commented out.
fn placeholder(key: &Key) -> &'static str {
    match key.kind {
        Kind::One(_) => "{}",
        Kind::Text if key.default.is_empty() => "\"\"",
        Kind::Texts if key.default.is_empty() => "[]",
        Kind::TextMap if key.default.is_empty() => "{}",
        _ => key.default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SourceText, TaskPlan};

    #[test]
    fn the_samples_are_right_as_they_are() {
        let (task, source) = (sample_task(), sample_source());
        let file = |text| SourceText { name: "sample", text };
        let (plan, warnings) =
            TaskPlan::from_yaml(&file(&task), &[file(&source)], &|_| None).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!((plan.name.as_str(), plan.sources.len()), ("my-task", 1));
    }

    /// What is commented out is YAML of the right keys, too: with the marks taken off, nothing is
    /// unknown.
    #[test]
    fn every_key_that_is_commented_out_may_be_used() {
        for (text, group) in [(sample_task(), &TASK), (sample_source(), &SOURCE)] {
            let used: String = text
                .lines()
                .map(|line| {
                    let code = line.trim_start();
                    let indent = &line[..line.len() - code.len()];
                    let key = code.strip_prefix('#').filter(|c| !c.trim_start().starts_with('#'));
                    match key {
                        Some(key) if !code.starts_with("# ") || key.starts_with("  ") => {
                            format!("{indent}{key}\n")
                        }
                        _ => format!("{line}\n"),
                    }
                })
                .collect();
            let parsed =
                crate::config::yaml::parse(&used).unwrap_or_else(|e| panic!("{e:?}\n{used}"));
            let mut file = crate::config::context::File::new("sample", Some(&parsed.root));
            super::super::check(&mut file, &parsed.root, group);
            let unknown: Vec<_> =
                file.problems.iter().filter(|p| p.found.contains("unknown")).collect();
            assert!(unknown.is_empty(), "{unknown:?}\n{used}");
        }
    }

    #[test]
    fn lines_are_no_wider_than_a_page() {
        for line in sample_task().lines().chain(sample_source().lines()) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
