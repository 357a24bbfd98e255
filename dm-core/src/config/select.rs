//! Which tables a full copy takes, when the dumper's own flags say so.
//!
//! DM lets `extra-args` of a dump override the block-allow-list: `-B` names schemas, `-T` tables,
//! `-f` gives rules of the table filter that TiDB's tools share, and mydumper's `--regex` (`-x`)
//! is searched for in `schema.table`. Several of them together must all agree.

use regex::{Regex, RegexBuilder};

/// A compiled choice of tables. An empty one selects everything.
#[derive(Clone, Debug, Default)]
pub struct TableSelector {
    schemas: Vec<String>,
    tables: Vec<(String, String)>,
    rules: Vec<Rule>,
    regex: Option<Pattern>,
    case_sensitive: bool,
}

/// A rule of the table filter. Among the rules that match, the last one decides.
#[derive(Clone, Debug)]
struct Rule {
    include: bool,
    schema: Regex,
    table: Regex,
}

/// A regular expression with the look-ahead at its start taken off, which is what mydumper's users write
/// (`^(?!(mysql|sys)\.)`) and what the `regex` crate cannot do by itself.
#[derive(Clone, Debug)]
struct Pattern {
    /// What must not, or must, match at the start.
    ahead: Option<(bool, Regex)>,
    rest: Regex,
}

impl TableSelector {
    /// A choice of everything; names in it compare with or without regard to case.
    pub fn new(case_sensitive: bool) -> Self {
        Self { case_sensitive, ..Self::default() }
    }

    /// True when nothing was chosen, so that the block-allow-list decides.
    pub fn is_empty(&self) -> bool {
        self.schemas.is_empty()
            && self.tables.is_empty()
            && self.rules.is_empty()
            && self.regex.is_none()
    }

    /// Whether a table is copied.
    pub fn selects(&self, schema: &str, table: &str) -> bool {
        let same = |a: &str, b: &str| {
            if self.case_sensitive { a == b } else { a.to_lowercase() == b.to_lowercase() }
        };
        if !self.schemas.is_empty() && !self.schemas.iter().any(|s| same(s, schema)) {
            return false;
        }
        if !self.tables.is_empty()
            && !self.tables.iter().any(|(s, t)| same(s, schema) && same(t, table))
        {
            return false;
        }
        if !self.rules.is_empty() {
            let last = self
                .rules
                .iter()
                .rev()
                .find(|r| r.schema.is_match(schema) && r.table.is_match(table));
            if !last.is_some_and(|r| r.include) {
                return false;
            }
        }
        self.regex.as_ref().is_none_or(|p| p.is_match(&format!("{schema}.{table}")))
    }

    /// `--case-sensitive`: for names, and for rules that come after it.
    pub(super) fn set_case_sensitive(&mut self) {
        self.case_sensitive = true;
    }

    /// `-B`: these schemas.
    pub(super) fn add_schemas(&mut self, list: &str) {
        self.schemas.extend(split_list(list).map(str::to_owned));
    }

    /// `-T`: these tables, as `schema.table`; a name alone belongs to the single schema of `-B`.
    pub(super) fn add_tables(&mut self, list: &str) -> Result<(), String> {
        for name in split_list(list) {
            match (name.split_once('.'), self.schemas.as_slice()) {
                (Some((schema, table)), _) if !schema.is_empty() && !table.is_empty() => {
                    self.tables.push((schema.to_owned(), table.to_owned()));
                }
                (None, [schema]) => self.tables.push((schema.clone(), name.to_owned())),
                _ => return Err(format!("`{name}` is no `schema.table`")),
            }
        }
        Ok(())
    }

    /// `-f`: rules of the table filter.
    pub(super) fn add_filter(&mut self, rules: &str) -> Result<(), String> {
        for text in split_filter(rules) {
            self.rules.push(filter_rule(text, self.case_sensitive)?);
        }
        Ok(())
    }

    /// `--regex`.
    pub(super) fn set_regex(&mut self, text: &str) -> Result<(), String> {
        self.regex = Some(Pattern::new(text, self.case_sensitive)?);
        Ok(())
    }
}

fn split_list(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|s| !s.is_empty())
}

/// Splits at commas outside quotes, brackets and `/regular expressions/`.
fn split_filter(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut inside, mut escaped) = (0, None, false);
    for (at, c) in text.char_indices() {
        match inside {
            _ if escaped => escaped = false,
            _ if c == '\\' => escaped = true,
            Some(end) if c == end => inside = None,
            Some(_) => {}
            None if matches!(c, '"' | '`' | '/') => inside = Some(c),
            None if c == '[' => inside = Some(']'),
            None if c == ',' => {
                parts.push(text.get(start..at).unwrap_or(""));
                start = at + 1;
            }
            None => {}
        }
    }
    parts.push(text.get(start..).unwrap_or(""));
    parts.into_iter().map(str::trim).filter(|s| !s.is_empty()).collect()
}

fn filter_rule(text: &str, case_sensitive: bool) -> Result<Rule, String> {
    if text.starts_with('@') {
        return Err(format!("`{text}`: rules cannot be read from a file here, write them out"));
    }
    let (include, rest) = match text.strip_prefix('!') {
        Some(rest) => (false, rest),
        None => (true, text),
    };
    let (schema, rest) = name_pattern(rest)?;
    let Some(rest) = rest.strip_prefix('.') else {
        return Err(format!("`{text}` is no `schema.table`"));
    };
    let (table, rest) = name_pattern(rest)?;
    if !rest.is_empty() {
        return Err(format!("`{text}`: `{rest}` stands after the table's pattern"));
    }
    let compile = |p: &str| compile(p, case_sensitive);
    Ok(Rule { include, schema: compile(&schema)?, table: compile(&table)? })
}

/// One pattern of a filter rule as a regular expression, and what follows it.
fn name_pattern(text: &str) -> Result<(String, &str), String> {
    let mut chars = text.char_indices().peekable();
    let mut out = String::from("^(?s:");
    if let Some((_, open @ ('/' | '"' | '`'))) = chars.peek().copied() {
        chars.next();
        return quoted_pattern(text, open);
    }
    let mut end = text.len();
    while let Some((at, c)) = chars.next() {
        match c {
            '.' => {
                end = at;
                break;
            }
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '\\' => match chars.next() {
                Some((_, c)) => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
                None => return Err(format!("`{text}` ends in a backslash")),
            },
            '[' => {
                out.push('[');
                if chars.next_if(|(_, c)| *c == '!').is_some() {
                    out.push('^');
                }
                loop {
                    match chars.next() {
                        Some((_, ']')) => break,
                        Some((_, '-')) => out.push('-'),
                        Some((_, c)) => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
                        None => return Err(format!("`{text}` lacks a `]`")),
                    }
                }
                out.push(']');
            }
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    if end == 0 {
        return Err("an empty name pattern".to_owned());
    }
    out.push_str(")$");
    Ok((out, text.get(end..).unwrap_or("")))
}

/// `/regular expression/`, `"literal name"` or `` `literal name` `` (a doubled quote is one quote).
fn quoted_pattern(text: &str, open: char) -> Result<(String, &str), String> {
    let mut literal = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && open == '/' {
            match chars.next() {
                Some((_, '/')) => literal.push('/'),
                Some((_, c)) => literal.extend(['\\', c]),
                None => break,
            }
        } else if c != open {
            literal.push(c);
        } else if open != '/' && chars.next_if(|(_, c)| *c == open).is_some() {
            literal.push(open);
        } else {
            let rest = text.get(at + 1..).unwrap_or("");
            let pattern =
                if open == '/' { literal } else { format!("^{}$", regex::escape(&literal)) };
            return Ok((pattern, rest));
        }
    }
    Err(format!("`{text}` lacks its closing `{open}`"))
}

impl Pattern {
    fn new(text: &str, case_sensitive: bool) -> Result<Self, String> {
        let split = text.strip_prefix("^(?").and_then(|rest| {
            let must = match rest.chars().next()? {
                '=' => true,
                '!' => false,
                _ => return None,
            };
            let inner = rest.get(1..)?;
            let end = closing_parenthesis(inner)?;
            Some((must, inner.get(..end)?, inner.get(end + 1..)?))
        });
        let Some((must, inner, rest)) = split else {
            return Ok(Self { ahead: None, rest: compile(text, case_sensitive)? });
        };
        let ahead = compile(&format!("^(?:{inner})"), case_sensitive)?;
        Ok(Self { ahead: Some((must, ahead)), rest: compile(&format!("^{rest}"), case_sensitive)? })
    }

    fn is_match(&self, text: &str) -> bool {
        self.ahead.as_ref().is_none_or(|(must, r)| r.is_match(text) == *must)
            && self.rest.is_match(text)
    }
}

/// Where the parenthesis closes that was opened just before `text`.
fn closing_parenthesis(text: &str) -> Option<usize> {
    let (mut depth, mut escaped, mut class) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class && depth == 0 => return Some(at),
            ')' if !class => depth -= 1,
            _ => {}
        }
    }
    None
}

fn compile(pattern: &str, case_sensitive: bool) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .case_insensitive(!case_sensitive)
        .build()
        .map_err(|e| format!("`{pattern}` is no regular expression that can be used here: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(rules: &str) -> TableSelector {
        let mut s = TableSelector::new(false);
        s.add_filter(rules).unwrap();
        s
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let s = filter("a*.*, !a1.*,a1.keep");
        assert!(s.selects("a2", "t") && s.selects("A1", "KEEP"));
        assert!(!s.selects("a1", "t") && !s.selects("b", "t"));
    }

    #[test]
    fn rules_may_quote_and_use_expressions() {
        let s = filter(r#""x.y".`t,1`, /^log\d+$/./^m/, [!a-c]?.\*"#);
        assert!(s.selects("x.y", "t,1"));
        assert!(s.selects("log12", "m7") && !s.selects("log", "m7"));
        assert!(s.selects("d1", "*") && !s.selects("b1", "*"));
    }

    #[test]
    fn wrong_rules_are_errors() {
        for wrong in ["a", "a.b.c", "@file", "[a.b", "\"a.b", "a.\\", ".b"] {
            assert!(TableSelector::new(false).add_filter(wrong).is_err(), "{wrong}");
        }
        assert!(TableSelector::new(false).add_tables("a").is_err());
    }

    #[test]
    fn mydumper_expressions_may_look_ahead() {
        let mut s = TableSelector::new(false);
        s.set_regex(r"^(?!(mysql|sys|te[)]st)\.)shop").unwrap();
        assert!(s.selects("shop", "t"));
        assert!(!s.selects("mysql", "shop") && !s.selects("other", "shop"));
        assert!(s.set_regex("a(?!b)").is_err());
    }

    #[test]
    fn lists_of_schemas_and_tables_agree() {
        let mut s = TableSelector::new(true);
        s.add_schemas("a");
        s.add_tables("t, b.u").unwrap();
        assert!(s.selects("a", "t"));
        assert!(!s.selects("a", "T") && !s.selects("b", "u") && !s.selects("a", "x"));
    }
}
