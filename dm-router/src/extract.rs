//! Columns filled from the names of a row's table, schema and source.

use regex::Regex;

/// Which name a value is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Table,
    Schema,
    Source,
}

/// One `extract-*` entry of a route.
#[derive(Clone, Debug)]
pub(crate) struct Extractor {
    subject: Subject,
    regex: Regex,
    /// The column at the target.
    pub(crate) column: String,
}

impl Extractor {
    pub(crate) fn new(subject: Subject, regex: &str, column: &str) -> Result<Self, regex::Error> {
        Ok(Self { subject, regex: Regex::new(regex)?, column: column.to_string() })
    }

    /// The capture groups of the first match, joined; empty when nothing matches.
    ///
    /// Names are taken as they are written, so the expression regards case whatever the task says.
    pub(crate) fn value(&self, source: &str, schema: &str, table: &str) -> String {
        let name = match self.subject {
            Subject::Table => table,
            Subject::Schema => schema,
            Subject::Source => source,
        };
        let Some(captures) = self.regex.captures(name) else { return String::new() };
        captures.iter().skip(1).flatten().map(|group| group.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_joined_and_unused_ones_skipped() {
        let e = Extractor::new(Subject::Table, "^(a)|t_([0-9]+)_([a-z]+)$", "c").unwrap();
        assert_eq!(e.value("", "", "t_12_xy"), "12xy");
        assert_eq!(e.value("", "", "abc"), "a");
        assert_eq!(e.value("", "", "T_1_x"), "");
        assert_eq!(Extractor::new(Subject::Schema, "s", "c").unwrap().value("", "s", ""), "");
    }
}
