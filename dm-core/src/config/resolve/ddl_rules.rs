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
            let groups = pattern.as_ref().map_or(0, Regex::captures_len);
            let action = action(&mut self.file, &path, raw, groups);
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

fn action(file: &mut File, path: &str, raw: &RawDdlRule, groups: usize) -> Option<DdlRuleAction> {
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
            check_sql(file, &sql, &text, groups).then_some(DdlRuleAction::Replace(text))
        }
        other => {
            let found = format!("found `{other}`");
            file.problem(&codes::CONFIG_VALUE, key, found, "one of skip, replace, warn");
            None
        }
    }
}

/// What can be told before a statement has filled the groups in: there is one, and those that bring
/// everything themselves can be read and change structures.
fn check_sql(file: &mut File, path: &str, text: &str, groups: usize) -> bool {
    let expected = "DDL statements with semicolons between them";
    let statements = split(text);
    let mut wrong = None;
    if statements.is_empty() {
        wrong = Some("no statement is given".to_owned());
    }
    for sql in statements {
        if sql.contains('$') {
            continue;
        }
        match parse(sql, &ParseContext::default()) {
            Ok(statement) if statement.is_ddl() => {}
            Ok(_) => wrong = Some(format!("`{sql}` changes no structure")),
            Err(e) => wrong = Some(format!("`{sql}` cannot be read: {}", e.message())),
        }
    }
    let number = |c: regex::Captures<'_>| c.get(1).or(c.get(2))?.as_str().parse::<usize>().ok();
    let numbered = Regex::new(r"\$(?:\{(\d+)\}|(\d+)\b)").ok();
    let highest = numbered.iter().flat_map(|r| r.captures_iter(text)).filter_map(number).max();
    if let Some(highest) = highest.filter(|n| groups > 0 && *n >= groups) {
        wrong = Some(format!("`${highest}` stands in it, and `match` has {} groups", groups - 1));
    }
    match wrong {
        Some(found) => {
            file.problem(&codes::CONFIG_VALUE, path, found, expected);
            false
        }
        None => true,
    }
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
