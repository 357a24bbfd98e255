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
    sample.keys(group, &Place { path: String::new(), indent: String::new(), off: "", item: false });
    sample.out
}

/// Where a group's keys stand.
struct Place {
    path: String,
    indent: String,
    /// `#` inside of what is commented out.
    off: &'static str,
    /// The group is an entry of a list: its first key has a dash.
    item: bool,
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
            let top = place.indent.is_empty() && place.off.is_empty();
            if top || (i > 0 && !key.meaning.is_empty() && place.off.is_empty()) {
                self.out.push('\n');
            }
            self.key(key, place, place.item && i == 0);
        }
    }

    fn key(&mut self, key: &'static Key, place: &Place, first: bool) {
        let path = super::join(&place.path, key.name);
        let value = self.values.iter().find(|(p, _)| *p == path).map(|(_, v)| *v);
        let off = if value.is_some() { place.off } else { "#" };
        let lead = format!("{}{}", place.off, place.indent);
        let dash = if first {
            "- "
        } else if place.item {
            "  "
        } else {
            ""
        };
        self.meaning(key, &format!("{lead}{}", if place.item { "  " } else { "" }));
        let margin = if off == place.off { lead } else { format!("{}#", place.indent) };
        let inner = match key.kind {
            // What is written in place is explained where it has a name.
            Kind::One(_) if key.meaning.starts_with("The same") => None,
            Kind::One(group) => Some((group, false, false)),
            Kind::List(group) => Some((group, true, false)),
            Kind::Named(group) => Some((group, false, true)),
            _ => None,
        };
        let Some((group, item, named)) = inner else {
            let text = match (value, key.kind) {
                (Some(value), _) => value,
                (None, Kind::One(_)) => "{}",
                (None, Kind::Text) if key.default.is_empty() => "\"\"",
                (None, Kind::Texts) if key.default.is_empty() => "[]",
                (None, Kind::TextMap) if key.default.is_empty() => "{}",
                (None, _) => key.default,
            };
            let text = format!("{dash}{}: {text}", key.name);
            return self.line(&margin, text.trim_end());
        };
        self.line(&margin, &format!("{dash}{}:", key.name));
        let deeper = if place.item { "    " } else { "  " };
        let mut indent = format!("{}{deeper}", place.indent);
        if named {
            self.line(&format!("{off}{indent}"), "my-name:");
            indent.push_str("  ");
        } else if item {
            // Entries stand below their key, as DM's own files have them.
            indent.clone_from(&place.indent);
        }
        self.keys(group, &Place { path, indent, off, item });
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
