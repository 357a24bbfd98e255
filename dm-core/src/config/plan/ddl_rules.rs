//! `ddl-rules`: what becomes of statements, by their text.

use regex::Regex;

/// What a rule wants for a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DdlRuleAction {
    /// It does not run at the target.
    Skip,
    /// These statements, semicolons between them, run instead of it.
    Replace(String),
    /// It runs, and the log says so.
    Warn,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct DdlRule {
    /// `match`.
    pub pattern: Regex,
    /// `action`, with `sql` as it was typed.
    pub action: DdlRuleAction,
}

/// The rules of a task, in their order.
#[derive(Clone, Debug, Default)]
pub struct DdlRules {
    /// The rules.
    pub rules: Vec<DdlRule>,
}

impl DdlRules {
    /// What the first rule that matches a statement's text wants, the groups of its expression
    /// filled in; `None` when none matches.
    pub fn find(&self, sql: &str) -> Option<DdlRuleAction> {
        let sql = sql.trim();
        self.rules.iter().find_map(|rule| {
            let captures = rule.pattern.captures(sql)?;
            Some(match &rule.action {
                DdlRuleAction::Replace(template) => {
                    let mut text = String::new();
                    captures.expand(template, &mut text);
                    DdlRuleAction::Replace(text)
                }
                other => other.clone(),
            })
        })
    }
}
