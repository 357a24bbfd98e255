//! `ddl-rules` of a task file.

use regex::{Regex, RegexBuilder};

use super::Resolver;
use crate::config::context::File;
use crate::config::plan::{DdlRule, DdlRuleAction, DdlRules};
use crate::config::raw::RawDdlRule;
use crate::ddl::{ParseContext, parse, split};
use crate::error::codes;

/// A compiled expression takes no more memory than this: what a person writes takes some kilobytes.
const SIZE_LIMIT: usize = 1 << 20;

impl Resolver<'_> {
    /// The rules; those that are wrong are reported and left out.
    pub(super) fn ddl_rules(&mut self) -> DdlRules {
        let mut rules = Vec::new();
        for (i, raw) in self.task.ddl_rules.iter().enumerate() {
            let path = format!("ddl-rules[{i}]");
            let pattern = pattern(&mut self.file, &path, &raw.pattern);
            let action = action(&mut self.file, &path, raw, pattern.as_ref());
            if let (Some(pattern), Some(action)) = (pattern, action) {
                rules.push(DdlRule { pattern, action });
            }
        }
        DdlRules { rules }
    }
}

fn pattern(file: &mut File, path: &str, text: &str) -> Option<Regex> {
    let path = format!("{path}.match");
    let expected = "a regular expression for the text of statements";
    if text.trim().is_empty() {
        file.problem(&codes::CONFIG_VALUE, path, "no expression is given", expected);
        return None;
    }
    let compiled = RegexBuilder::new(text)
        .case_insensitive(true)
        .dot_matches_new_line(true)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(SIZE_LIMIT)
        .build();
    match compiled {
        Ok(regex) => Some(regex),
        Err(e) => {
            let found = format!("`{text}` cannot be used: {e}");
            file.problem(&codes::CONFIG_VALUE, path, found, expected);
            None
        }
    }
}

fn action(
    file: &mut File,
    path: &str,
    raw: &RawDdlRule,
    pattern: Option<&Regex>,
) -> Option<DdlRuleAction> {
    let key = format!("{path}.action");
    let sql = format!("{path}.sql");
    let wants_sql = raw.action == "replace";
    if let Some(text) = raw.sql.as_deref().filter(|_| !wants_sql) {
        let found = format!("`{text}` is given, and the action is not replace");
        file.problem(
            &codes::CONFIG_VALUE,
            sql.as_str(),
            found,
            "`action: replace`, or no such key",
        );
    }
    match raw.action.as_str() {
        "skip" => Some(DdlRuleAction::Skip),
        "warn" => Some(DdlRuleAction::Warn),
        "replace" => {
            let text = raw.sql.clone().unwrap_or_default();
            check_sql(file, &sql, &text, pattern).then_some(DdlRuleAction::Replace(text))
        }
        other => {
            let found = format!("found `{other}`");
            file.problem(&codes::CONFIG_VALUE, key, found, "one of skip, replace, warn");
            None
        }
    }
}

/// What can be told before a statement has filled the groups in: there is one, each changes structures and can be
/// read, and each group that stands in it is one of the expression's.
fn check_sql(file: &mut File, path: &str, text: &str, pattern: Option<&Regex>) -> bool {
    let expected = "DDL statements with semicolons between them";
    let statements = split(text);
    let mut wrong = None;
    if statements.is_empty() {
        wrong = Some("no statement is given".to_owned());
    }
    for sql in statements {
        // Groups are most often names. What cannot be read with one may be read with what is put in.
        let filled = sql.contains('$').then(|| filled(sql));
        match (parse(filled.as_deref().unwrap_or(sql), &ParseContext::default()), filled) {
            (Ok(statement), _) if statement.is_ddl() => {}
            (Ok(_), _) => wrong = Some(format!("`{sql}` changes no structure")),
            (Err(_), Some(_)) => {}
            (Err(e), None) => wrong = Some(format!("`{sql}` cannot be read: {}", e.message())),
        }
    }
    if let Some(pattern) = pattern {
        let unknown = references(text).into_iter().find(|name| !has_group(pattern, name));
        let found = unknown.map(|name| {
            let groups = pattern.captures_len() - 1;
            format!(
                "`${name}` stands in it, and `match` has {groups} groups, none of that name (`${{1}}_x` is the first \
                 one with `_x` behind it, `$$` a dollar sign)"
            )
        });
        wrong = found.or(wrong);
    }
    match wrong {
        Some(found) => {
            file.problem(&codes::CONFIG_VALUE, path, found, expected);
            false
        }
        None => true,
    }
}

/// Numbers and names of the groups that stand in a text, as [`regex::Captures::expand`] reads it: a name goes as far
/// as it can, and one that no group has is filled with nothing.
fn references(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('$') {
        let (name, after) = reference(behind);
        found.extend(name);
        rest = after;
    }
    found
}

/// The group that stands behind a dollar sign, and what is behind it.
fn reference(behind: &str) -> (Option<&str>, &str) {
    if let Some(rest) = behind.strip_prefix('$') {
        return (None, rest);
    }
    if let Some((name, rest)) = behind.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        return (Some(name), rest);
    }
    let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let (name, rest) = behind.split_at(end.unwrap_or(behind.len()));
    (Some(name).filter(|name| !name.is_empty()), rest)
}

fn has_group(pattern: &Regex, name: &str) -> bool {
    match name.parse::<usize>() {
        Ok(number) => number < pattern.captures_len(),
        Err(_) => pattern.capture_names().flatten().any(|group| group == name),
    }
}

/// A statement with a name in place of each group.
fn filled(sql: &str) -> String {
    let mut text = String::new();
    let mut rest = sql;
    while let Some((before, behind)) = rest.split_once('$') {
        let (name, after) = reference(behind);
        text.push_str(before);
        text.push_str(if name.is_some() { "g" } else { "$" });
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use crate::config::{DdlRuleAction, SourceText, TaskPlan};

    fn plan(rules: &str) -> Result<TaskPlan, String> {
        let task = format!(
            "name: t\ntask-mode: all\ntarget-database: {{sqlite: x.db}}\n\
             mysql-instances: [{{source-id: s}}]\nddl-rules:\n{rules}"
        );
        let source = "{source-id: s, from: {host: h, user: u}}";
        TaskPlan::from_yaml(
            &SourceText { name: "task.yaml", text: &task },
            &[SourceText { name: "s.yaml", text: source }],
            &|_| None,
        )
        .map(|(plan, _)| plan)
        .map_err(|e| e.to_string())
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let plan = plan(
            "- {match: '^drop table', action: warn}\n\
             - {match: 'ADD COLUMN (?<c>\\w+) INT UNIQUE', action: replace, sql: 'ALTER TABLE d.t ADD ${c} INT; ALTER TABLE d.t ADD UNIQUE ($1)'}\n\
             - {match: '(?-i)CHANGE .* DECIMAL', action: skip}\n",
        )
        .unwrap();
        let find = |sql: &str| plan.ddl_rules.find(sql);
        assert_eq!(find("  DROP TABLE x"), Some(DdlRuleAction::Warn));
        assert_eq!(find("/* */ DROP TABLE x"), None);
        assert_eq!(
            find("alter table t add column new_col int unique"),
            Some(DdlRuleAction::Replace(
                "ALTER TABLE d.t ADD new_col INT; ALTER TABLE d.t ADD UNIQUE (new_col)".to_owned()
            ))
        );
        assert_eq!(find("ALTER TABLE t CHANGE a\na DECIMAL(10,3)"), Some(DdlRuleAction::Skip));
        assert_eq!(find("alter table t change a a decimal(10,3)"), None);
    }

    #[test]
    fn what_groups_bring_is_left_to_the_statement() {
        for sql in
            ["$1", "ALTER TABLE t ADD c INT $1", "ALTER TABLE ${1}_x ADD c INT DEFAULT '$$5'"]
        {
            let text = format!("- {{match: 'a(b)', action: replace, sql: \"{sql}\"}}");
            assert!(plan(&text).is_ok(), "{sql}");
        }
    }

    #[test]
    fn wrong_rules_are_told_with_their_place() {
        let wrong = |rules: &str| plan(rules).unwrap_err();
        for (rules, texts) in [
            ("- {match: '(', action: skip}", ["ddl-rules[0].match", "cannot be used"]),
            ("- {match: '', action: skip}", ["ddl-rules[0].match", "no expression"]),
            ("- {match: x, action: drop}", ["ddl-rules[0].action", "found `drop`"]),
            (
                "- {match: x, action: skip, sql: 'DROP TABLE x'}",
                ["ddl-rules[0].sql", "not replace"],
            ),
            ("- {match: x, action: replace}", ["ddl-rules[0].sql", "no statement"]),
            (
                "- {match: x, action: replace, sql: 'DELETE FROM x'}",
                ["ddl-rules[0].sql", "no structure"],
            ),
            (
                "- {match: 'a(b)', action: replace, sql: 'DROP TABLE $2'}",
                ["ddl-rules[0].sql", "1 groups"],
            ),
            // Filled with nothing, this would drop another table.
            (
                "- {match: 'a(b)', action: replace, sql: 'DROP TABLE x.old$1_x'}",
                ["ddl-rules[0].sql", "`$1_x` stands in it"],
            ),
            (
                "- {match: 'a(?<t>b)', action: replace, sql: 'DROP TABLE ${t}, ${u}'}",
                ["ddl-rules[0].sql", "`$u` stands in it"],
            ),
            (
                "- {match: 'a(b)', action: replace, sql: 'ALTER TABLE $1 ADD c INT; DELETE FROM $1'}",
                ["ddl-rules[0].sql", "changes no structure"],
            ),
            (
                "- {match: 'a{1000}{1000}{1000}', action: skip}",
                ["ddl-rules[0].match", "cannot be used"],
            ),
            ("- {match: x, action: skip, more: 1}", ["ddl-rules[0]", "more"]),
        ] {
            let text = wrong(rules);
            for part in texts {
                assert!(text.contains(part), "{rules}: {text}");
            }
        }
    }
}
