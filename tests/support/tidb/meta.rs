//! The tables of the meta schema (`dm_task`, `dm_apply_mark`, `dm_chunk_mark`, `dm_late_key`): so much of SQL as
//! `dm` uses on them.

use std::collections::BTreeMap;

use super::Answer;

/// Columns of each table, and how many of them are its key.
const TABLES: &[(&str, &[&str], usize)] = &[
    ("dm_task", &["task", "identity"], 1),
    (
        "dm_apply_mark",
        &["lane", "epoch", "worker", "low", "low_position", "applied", "connection"],
        3,
    ),
    ("dm_chunk_mark", &["lane", "db", "tbl", "generation", "chunk", "target_db", "target_tbl"], 5),
    ("dm_late_key", &["lane", "target_db", "target_tbl", "structure"], 3),
];

/// The rows of the tables, by table and key.
#[derive(Debug, Default)]
pub struct Meta(BTreeMap<(&'static str, Vec<String>), Vec<String>>);

impl Meta {
    /// Carries out a change; false when it is not about these tables.
    pub fn write(&mut self, statement: &str) -> bool {
        let Some((name, _, key)) = table(statement) else { return false };
        if statement.starts_with("INSERT") {
            let values = statement.split_once(" VALUES ").map_or("", |(_, v)| v);
            let row = literals(values.trim_start_matches('('));
            let id = (name, row.iter().take(key).cloned().collect());
            if statement.starts_with("INSERT IGNORE") {
                self.0.entry(id).or_insert(row);
                return true;
            }
            let update =
                statement.contains("`connection`=") && !statement.contains("VALUES(`low`)");
            match self.0.get_mut(&id) {
                // Registering a writer keeps what it has written.
                Some(have) if update => {
                    if let (Some(have), Some(now)) = (have.last_mut(), row.last()) {
                        have.clone_from(now);
                    }
                }
                _ => {
                    self.0.insert(id, row);
                }
            }
        } else if let Some(list) = between(statement, " SET ", " WHERE ")
            .or_else(|| statement.split_once(" SET ").map(|(_, list)| list.to_owned()))
        {
            self.update(statement, &list);
        } else {
            let gone: Vec<_> = self.matching(statement).map(|(id, _)| id.clone()).collect();
            gone.iter().for_each(|id| drop(self.0.remove(id)));
        }
        true
    }

    /// How many rows an UPDATE of these tables finds; `None` for any other statement.
    pub fn count(&self, statement: &str) -> Option<u64> {
        table(statement).filter(|_| statement.starts_with("UPDATE"))?;
        Some(self.matching(statement).count() as u64)
    }

    fn update(&mut self, statement: &str, list: &str) {
        let columns = table(statement).map_or(&[][..], |(_, columns, _)| columns);
        let ids: Vec<_> = self.matching(statement).map(|(id, _)| id.clone()).collect();
        for id in ids {
            let Some(row) = self.0.get_mut(&id) else { continue };
            for change in literals(list) {
                let Some((name, value)) = change.split_once('=') else { continue };
                let at = columns.iter().position(|c| *c == name.trim().trim_matches('`'));
                let Some(cell) = at.and_then(|at| row.get_mut(at)) else { continue };
                // `a`=`a`+1
                *cell = match value.strip_suffix("+1") {
                    Some(own) if own.trim() == name.trim() => {
                        (cell.parse::<u64>().unwrap_or(0) + 1).to_string()
                    }
                    _ => value.to_owned(),
                };
            }
        }
    }

    /// Answers a question about these tables; no rows for any other.
    pub fn select(&self, statement: &str) -> Answer {
        let list = between(statement, "SELECT ", " FROM").unwrap_or_default();
        let list = list.trim_start_matches("DISTINCT ");
        let names: Vec<String> = list.split(',').map(|c| c.trim().replace('`', "")).collect();
        let columns = table(statement).map_or(&[][..], |(_, columns, _)| columns);
        let rows = self.matching(statement).map(|(_, row)| {
            let cell = |name: &String| match columns.iter().position(|c| c == name) {
                Some(at) => row.get(at).cloned(),
                None => Some(name.clone()),
            };
            names.iter().map(cell).collect()
        });
        let rows = rows.collect();
        Answer::Rows(names, rows)
    }

    fn matching<'m>(
        &'m self,
        statement: &str,
    ) -> impl Iterator<Item = (&'m (&'static str, Vec<String>), &'m Vec<String>)> {
        let found = table(statement);
        let conditions = conditions(statement);
        self.0.iter().filter(move |((name, _), row)| {
            let Some((wanted, columns, _)) = found else { return false };
            wanted == *name
                && conditions.iter().all(|(column, less, value)| {
                    let cell = columns.iter().position(|c| c == column).and_then(|i| row.get(i));
                    match (cell, less) {
                        (Some(cell), false) => cell == value,
                        (Some(cell), true) => cell.parse::<u64>().ok() < value.parse().ok(),
                        (None, _) => false,
                    }
                })
        })
    }
}

fn table(statement: &str) -> Option<(&'static str, &'static [&'static str], usize)> {
    let head: String = statement.chars().take(200).collect();
    TABLES.iter().copied().find(|(name, _, _)| head.contains(&format!(".`{name}`")))
}

/// `` `a`='x' AND `b`<5 ``: column, whether it is `<`, value.
fn conditions(statement: &str) -> Vec<(String, bool, String)> {
    let statement = statement.strip_suffix(" FOR UPDATE").unwrap_or(statement);
    let Some((_, text)) = statement.split_once(" WHERE ") else { return Vec::new() };
    let mut all = Vec::new();
    for part in text.split(" AND ") {
        let Some(at) = part.find(['=', '<']) else { continue };
        let value = literals(&part[at + 1..]).into_iter().next().unwrap_or_default();
        all.push((part[..at].trim().replace('`', ""), part[at..].starts_with('<'), value));
    }
    all
}

/// The literals of a list up to its closing parenthesis.
fn literals(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut chars = text.chars();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let value = all.last_mut().expect("never empty");
        match c {
            '\'' => quoted = !quoted,
            '\\' if quoted => value.extend(chars.next()),
            ',' if !quoted => all.push(String::new()),
            ')' if !quoted => break,
            c if quoted || !c.is_whitespace() => value.push(c),
            _ => {}
        }
    }
    all
}

/// The text between two others.
pub fn between(text: &str, from: &str, to: &str) -> Option<String> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(found, _)| found.to_owned())
}

/// How many rows an INSERT has: the parentheses that stand outside of all others behind VALUES.
pub fn tuples(statement: &str) -> u64 {
    let values = statement.split_once(" VALUES ").map_or("", |(_, v)| v);
    let (mut depth, mut rows) = (0, 0);
    outside_of_texts(values, |c, rest| {
        match c {
            '(' => {
                rows += u64::from(depth == 0);
                depth += 1;
            }
            ')' => depth -= 1,
            _ => {}
        }
        depth > 0 || !rest.starts_with(" ON DUPLICATE")
    });
    rows
}

/// How many `?` a statement has.
pub fn count_marks(statement: &str) -> u16 {
    let mut marks = 0;
    outside_of_texts(statement, |c, _| {
        marks += u16::from(c == '?');
        true
    });
    marks
}

/// Calls `f` with each character outside of quotes and what follows it, until it says false.
fn outside_of_texts(text: &str, mut f: impl FnMut(char, &str) -> bool) {
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match quote {
            Some(q) if c == '\\' && q != '`' => {
                chars.next();
            }
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            None => {
                if !f(c, &text[at + c.len_utf8()..]) {
                    return;
                }
            }
        }
    }
}
