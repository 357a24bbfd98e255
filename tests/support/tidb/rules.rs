//! What the stub answers, as a plain text: blocks with an empty line between them, each a pattern and
//! what comes of it. The first block that fits and is not used up is taken.
//!
//! ```text
//! # A line that begins so is a comment.
//! match: INSERT INTO `d`.`t`*        (`*` stands for anything; upper and lower case are one)
//! after: 2                           (not for the first two that fit; 0)
//! times: 1                           (so often; for ever)
//! delay: 500                         (milliseconds before the answer; 0)
//! error: 9007 HY000 Write conflict   (number, state, message)
//!
//! match: COMMIT
//! done                               (carried out before the answer: the outcome is unknown)
//! drop                               (the connection is closed instead of an answer)
//!
//! match: SELECT @@tidb_current_ts
//! columns: ts other                  (a result of rows)
//! row: 1 NULL
//!
//! match: UPDATE*
//! ok: 0                              (affected rows)
//! ```

use std::time::Duration;

/// What is sent.
#[derive(Clone, Debug)]
pub enum Answer {
    /// OK, with affected rows.
    Ok(u64),
    /// A result.
    Rows(Vec<String>, Vec<Vec<Option<String>>>),
    /// An error.
    Error {
        /// Number.
        number: u16,
        /// SQLSTATE.
        state: String,
        /// Text.
        message: String,
    },
    /// Nothing: the connection is closed.
    Drop,
}

impl Answer {
    /// An error.
    pub fn error(number: u16, state: &str, message: &str) -> Self {
        Self::Error { number, state: state.to_owned(), message: message.to_owned() }
    }

    /// A result of one value.
    pub fn one(value: &str) -> Self {
        Self::Rows(vec!["v".to_owned()], vec![vec![Some(value.to_owned())]])
    }
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    after: u64,
    times: u64,
    delay: Duration,
    done: bool,
    answer: Option<Answer>,
}

/// What is to be done about a statement.
#[derive(Debug)]
pub struct Found {
    /// Wait so long.
    pub delay: Duration,
    /// Carry the statement out although the answer says otherwise.
    pub carried_out: bool,
    /// Answer so; `None` for what a healthy server answers.
    pub answer: Option<Answer>,
}

/// The rules of a stub.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// Reads a text; panics with the line that cannot be read.
    pub fn parse(text: &str) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once(':').map_or((line, ""), |(k, v)| (k, v.trim()));
            if key == "match" {
                rules.push(Rule {
                    pattern: value.to_ascii_lowercase(),
                    after: 0,
                    times: u64::MAX,
                    delay: Duration::ZERO,
                    done: false,
                    answer: None,
                });
                continue;
            }
            let rule = rules.last_mut().unwrap_or_else(|| panic!("no match before: {line}"));
            rule.set(key, value).unwrap_or_else(|| panic!("cannot be read: {line}"));
        }
        Self(rules)
    }

    /// The rule for a statement; it counts as used.
    pub fn find(&mut self, statement: &str) -> Option<Found> {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let statement = words.join(" ").to_ascii_lowercase();
        for rule in self.0.iter_mut().filter(|r| fits(&r.pattern, &statement)) {
            if rule.after > 0 {
                rule.after -= 1;
            } else if rule.times > 0 {
                rule.times -= 1;
                return Some(Found {
                    delay: rule.delay,
                    carried_out: rule.done,
                    answer: rule.answer.clone(),
                });
            }
        }
        None
    }
}

impl Rule {
    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "after" => self.after = value.parse().ok()?,
            "times" => self.times = value.parse().ok()?,
            "delay" => self.delay = Duration::from_millis(value.parse().ok()?),
            "done" => self.done = true,
            "drop" => self.answer = Some(Answer::Drop),
            "ok" => self.answer = Some(Answer::Ok(value.parse().ok()?)),
            "error" => {
                let mut parts = value.splitn(3, ' ');
                let (number, state) = (parts.next()?.parse().ok()?, parts.next()?);
                self.answer = Some(Answer::error(number, state, parts.next().unwrap_or_default()));
            }
            "columns" => {
                let columns = value.split_whitespace().map(str::to_owned).collect();
                self.answer = Some(Answer::Rows(columns, Vec::new()));
            }
            "row" => {
                let Some(Answer::Rows(columns, rows)) = &mut self.answer else { return None };
                let cells: Vec<Option<String>> = value
                    .splitn(columns.len(), ' ')
                    .map(|cell| (cell != "NULL").then(|| cell.to_owned()))
                    .collect();
                rows.push(cells);
            }
            _ => return None,
        }
        Some(())
    }
}

/// `*` stands for any text.
pub fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let (last, middle) = parts.split_last().expect("split gives one part at least");
    for part in middle {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}
