//! The `expression-filter` rules of one source, as a [`Filter`].

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::ast::{Compare, Expr};
use super::parser::ColumnName;
use super::{CompiledExpr, EvalError, ExprError, Zone, is_one, prepare};
use crate::change::{Change, Columns, Row, RowChange, RowKind, RowOp, TableName};
use crate::config::{ExpressionRule, Lint, LintKind, RuleError, RuleErrorKind};
use crate::filter::{Filter, Interest, Refusal, Verdict};

/// The keys of the four expressions.
const INSERT: &str = "insert-value-expr";
const UPDATE_OLD: &str = "update-old-value-expr";
const UPDATE_NEW: &str = "update-new-value-expr";
const DELETE: &str = "delete-value-expr";

impl ExpressionRule {
    /// The expressions that are set, with their keys.
    fn expressions(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            (INSERT, self.insert_value_expr.as_str()),
            (UPDATE_OLD, self.update_old_value_expr.as_str()),
            (UPDATE_NEW, self.update_new_value_expr.as_str()),
            (DELETE, self.delete_value_expr.as_str()),
        ]
        .into_iter()
        .filter(|(_, text)| !text.trim().is_empty())
    }

    /// What is wrong with this rule; `name` is the key that it stands under. Columns are not
    /// looked up: the table may not exist yet.
    pub fn validate(&self, name: &str) -> Vec<RuleError> {
        let mut errors = Vec::new();
        let mut add = |kind, key: &str, found: String, expected: String| {
            let (rule, key) = (name.to_string(), key.to_string());
            errors.push(RuleError { kind, rule, key, found, expected });
        };
        for (key, value) in [("schema", &self.schema), ("table", &self.table)] {
            if value.is_empty() {
                let kind = RuleErrorKind::ExpressionTable;
                add(kind, key, "nothing".into(), format!("the name of the {key}"));
            }
        }
        let keys: Vec<&str> = self.expressions().map(|(key, _)| key).collect();
        let kinds = [&[INSERT][..], &[UPDATE_OLD, UPDATE_NEW], &[DELETE]];
        if kinds.iter().filter(|kind| keys.iter().any(|k| kind.contains(k))).count() > 1 {
            let expected = "expressions of one kind only: insert, update (old, new or both) or \
                            delete; make a rule for each kind";
            add(RuleErrorKind::MixedExpressions, "", keys.join(", "), expected.into());
        }
        for (key, text) in self.expressions() {
            let problem = match prepare(text, &Zone::utc()) {
                Err(e) => Some(e.to_string()),
                Ok((_, columns)) => columns.iter().find_map(|c| self.other_table(c)),
            };
            if let Some(problem) = problem {
                let expected = format!("an expression over the columns of the table: {problem}");
                add(RuleErrorKind::ExpressionGrammar, key, format!("`{text}`"), expected);
            }
        }
        errors
    }

    /// Says so when a column is named as one of another table.
    fn other_table(&self, name: &ColumnName) -> Option<String> {
        let differs = |given: &Option<String>, own: &str| {
            given.as_ref().is_some_and(|g| g.to_lowercase() != own.to_lowercase())
        };
        let other = differs(&name.table, &self.table) || differs(&name.schema, &self.schema);
        other.then(|| format!("column `{}` belongs to another table", name.column))
    }

    /// What works, but may mean something else than it seems to.
    pub fn lint(&self, name: &str) -> Vec<Lint> {
        let mut lints = Vec::new();
        let mut add = |kind, key: &str, found: &str, message: &str| {
            let (rule, key, found) = (name.to_string(), key.to_string(), found.to_string());
            lints.push(Lint { kind, rule, key, found, message: message.to_string() });
        };
        if self.expressions().next().is_none() {
            let message = "the rule has no expression, so it leaves out nothing";
            add(LintKind::NeverMatches, "", "no expression", message);
        }
        for (key, text) in self.expressions() {
            let Ok((mut expr, _)) = prepare(text, &Zone::utc()) else { continue };
            if let Expr::Const(value) = &expr {
                if is_one(value) {
                    let message = "this is true for every row, so all of them are left out";
                    add(LintKind::BlocksAll, key, text, message);
                } else {
                    let message = "this is true for no row, so none is left out";
                    add(LintKind::NeverMatches, key, text, message);
                }
            } else if compares_with_null(&mut expr) {
                let message = "a comparison with NULL is never true; write IS NULL, IS NOT NULL \
                               or <=> instead";
                add(LintKind::NeverMatches, key, text, message);
            }
        }
        lints
    }
}

/// True when `= NULL` or the like stands anywhere in an expression.
fn compares_with_null(expr: &mut Expr) -> bool {
    let null = |e: &Expr| matches!(e, Expr::Const(value) if value.is_null());
    let here = match expr {
        Expr::Compare(op, a, b) => *op != Compare::NullSafeEq && (null(a) || null(b)),
        _ => false,
    };
    here || expr.children_mut().into_iter().any(compares_with_null)
}

#[derive(Debug)]
struct Rule {
    name: String,
    rule: ExpressionRule,
}

/// What became of one expression for one version of a table.
type Ready = Option<CompiledExpr>;

/// The expressions of one rule for one version of a table; `None` where there is none, or where
/// one names a column that the table does not have.
#[derive(Debug)]
struct CompiledRule {
    rule: usize,
    insert: Ready,
    update_old: Ready,
    update_new: Ready,
    delete: Ready,
    /// False when an expression waits for a column: then the whole rule does.
    active: bool,
}

/// All rules of a table, compiled for one version of it.
#[derive(Debug)]
struct CompiledTable {
    columns: Columns,
    rules: Vec<CompiledRule>,
    /// The columns that rules name and the table lacks, each with its rule.
    missing: Vec<(usize, String)>,
    /// Why a rule that was valid by itself cannot be compiled for this table.
    broken: Option<(usize, ExprError)>,
}

/// The compiled `expression-filter` rules of one source.
///
/// A row that one of the rules of its table is true for is dropped. An update is dropped when both
/// its expressions are true, one on the row before and one on the row after; a missing one counts
/// as true. Rules are tied to a table by its exact name, without patterns and regarding case.
///
/// Expressions are compiled when the first row of a table arrives, and again whenever its columns
/// have changed. A rule that names a column which the table does not have leaves out nothing until
/// a later version of the table has it; [`ExpressionFilter::missing_columns`] tells.
#[derive(Debug)]
pub struct ExpressionFilter {
    rules: Vec<Rule>,
    by_table: HashMap<TableName, Vec<usize>>,
    zone: Zone,
    compiled: RwLock<HashMap<TableName, Arc<CompiledTable>>>,
}

impl ExpressionFilter {
    /// Takes the rules with their names. `zone` is the task's time zone.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of them.
    pub fn compile<'a>(
        rules: impl IntoIterator<Item = (&'a str, &'a ExpressionRule)>,
        zone: Zone,
    ) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut taken = Vec::new();
        let mut by_table: HashMap<TableName, Vec<usize>> = HashMap::new();
        for (name, rule) in rules {
            errors.extend(rule.validate(name));
            if rule.expressions().next().is_some() {
                let table = TableName::new(rule.schema.as_str(), rule.table.as_str());
                by_table.entry(table).or_default().push(taken.len());
                taken.push(Rule { name: name.to_string(), rule: rule.clone() });
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self { rules: taken, by_table, zone, compiled: RwLock::default() })
    }

    /// The names of the rules of a table.
    pub fn rules_of(&self, table: &TableName) -> Vec<&str> {
        let places = self.by_table.get(table).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|i| self.rules.get(*i)).map(|r| r.name.as_str()).collect()
    }

    /// The columns that rules of a table name and that this version of it lacks: rule and column.
    /// Such a rule leaves out nothing, which deserves a warning.
    pub fn missing_columns(&self, table: &TableName, columns: &Columns) -> Vec<(&str, String)> {
        let Some(compiled) = self.table(table, columns) else { return Vec::new() };
        let named = |(i, column): &(usize, String)| {
            self.rules.get(*i).map(|r| (r.name.as_str(), column.clone()))
        };
        compiled.missing.iter().filter_map(named).collect()
    }

    /// The rules of a table, compiled for this version of it.
    fn table(&self, name: &TableName, columns: &Columns) -> Option<Arc<CompiledTable>> {
        let places = self.by_table.get(name)?;
        let known = self.compiled.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(table) = known.filter(|t| t.columns == *columns) {
            return Some(table);
        }
        let mut table = CompiledTable {
            columns: columns.clone(),
            rules: Vec::new(),
            missing: Vec::new(),
            broken: None,
        };
        for place in places {
            table.add(*place, &self.rules.get(*place)?.rule, &self.zone);
        }
        let table = Arc::new(table);
        let mut compiled = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        compiled.insert(name.clone(), Arc::clone(&table));
        Some(table)
    }

    fn refuse(&self, rule: usize, key: &str, why: &str, table: &TableName) -> Verdict {
        let name = self.rules.get(rule).map_or_else(String::new, |r| r.name.clone());
        let key = if key.is_empty() { String::new() } else { format!(", {key}") };
        Verdict::Refuse(Refusal { rule: name, reason: format!("a row of {table}{key}: {why}") })
    }

    fn decide_row(&self, change: &RowChange<'_>) -> Verdict {
        let Some(table) = self.table(change.table, change.columns) else { return Verdict::Keep };
        if let Some((rule, error)) = &table.broken {
            return self.refuse(*rule, "", &error.to_string(), change.table);
        }
        for compiled in table.rules.iter().filter(|r| r.active) {
            match compiled.hits(&change.op, change.columns) {
                Ok(false) => {}
                Ok(true) => return Verdict::Drop,
                Err((key, e)) => {
                    return self.refuse(compiled.rule, key, &e.to_string(), change.table);
                }
            }
        }
        Verdict::Keep
    }
}

impl CompiledTable {
    fn add(&mut self, place: usize, rule: &ExpressionRule, zone: &Zone) {
        let mut active = true;
        let mut compile = |text: &str| -> Ready {
            if text.trim().is_empty() {
                return None;
            }
            match CompiledExpr::compile(text, &self.columns, zone) {
                Ok(expr) => Some(expr),
                Err(ExprError::UnknownColumn(column)) => {
                    self.missing.push((place, column));
                    active = false;
                    None
                }
                Err(other) => {
                    self.broken.get_or_insert((place, other));
                    None
                }
            }
        };
        let insert = compile(&rule.insert_value_expr);
        let update_old = compile(&rule.update_old_value_expr);
        let update_new = compile(&rule.update_new_value_expr);
        let delete = compile(&rule.delete_value_expr);
        self.rules.push(CompiledRule {
            rule: place,
            insert,
            update_old,
            update_new,
            delete,
            active,
        });
    }
}

impl CompiledRule {
    /// True when the rule leaves the change out; an error comes with the key of its expression.
    fn hits(&self, op: &RowOp<'_>, columns: &Columns) -> Result<bool, (&'static str, EvalError)> {
        let judge = |key: &'static str, expr: &Ready, row: &Row<'_>| match expr {
            Some(expr) => expr.is_true(row, columns).map(Some).map_err(|e| (key, e)),
            None => Ok(None),
        };
        match op {
            RowOp::Insert { after } => Ok(judge(INSERT, &self.insert, after)? == Some(true)),
            RowOp::Delete { before } => Ok(judge(DELETE, &self.delete, before)? == Some(true)),
            RowOp::Update { before, after } => {
                let old = judge(UPDATE_OLD, &self.update_old, before)?;
                if old == Some(false) {
                    return Ok(false);
                }
                let new = judge(UPDATE_NEW, &self.update_new, after)?;
                Ok(new != Some(false) && (old.is_some() || new.is_some()))
            }
        }
    }
}

impl Filter for ExpressionFilter {
    fn interest(&self, table: &TableName) -> Interest {
        if self.by_table.contains_key(table) { Interest::Rows } else { Interest::All }
    }

    /// Drops rows; statements are kept. A row that an expression has no answer for stops the
    /// task, as in DM.
    fn decide(&self, change: &Change<'_>) -> Verdict {
        match change {
            Change::Row(row) => self.decide_row(row),
            Change::Ddl(_) => Verdict::Keep,
        }
    }
}

impl ExpressionRule {
    /// The kinds of row changes that this rule judges.
    pub fn kinds(&self) -> Vec<RowKind> {
        let mut kinds: Vec<RowKind> = self
            .expressions()
            .map(|(key, _)| match key {
                INSERT => RowKind::Insert,
                DELETE => RowKind::Delete,
                _ => RowKind::Update,
            })
            .collect();
        kinds.dedup();
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Table;

    fn rule(insert: &str, old: &str, delete: &str) -> ExpressionRule {
        ExpressionRule {
            schema: "s".into(),
            table: "t".into(),
            insert_value_expr: insert.into(),
            update_old_value_expr: old.into(),
            delete_value_expr: delete.into(),
            ..ExpressionRule::default()
        }
    }

    fn kinds(rule: &ExpressionRule) -> Vec<RuleErrorKind> {
        rule.validate("r").into_iter().map(|e| e.kind).collect()
    }

    #[test]
    fn wrong_rules_are_told_apart() {
        use RuleErrorKind::{ExpressionGrammar, ExpressionTable, MixedExpressions};
        assert_eq!(kinds(&rule("a = 1", "", "")), []);
        assert_eq!(kinds(&rule("a = 1", "a = 2", "")), [MixedExpressions]);
        assert_eq!(kinds(&rule("a =", "", "")), [ExpressionGrammar]);
        assert_eq!(kinds(&rule("other.a = 1", "", "")), [ExpressionGrammar]);
        assert_eq!(kinds(&rule("S.T.a = 1", "", "")), []);
        assert_eq!(kinds(&rule("ts > NOW()", "", "")), [ExpressionGrammar]);
        assert_eq!(kinds(&rule("a REGEXP '('", "", "")), [ExpressionGrammar]);
        let nowhere = ExpressionRule { schema: String::new(), ..rule("", "", "a") };
        assert_eq!(kinds(&nowhere), [ExpressionTable]);
    }

    #[test]
    fn doubtful_expressions_are_pointed_out() {
        let lints = |text: &str| -> Vec<LintKind> {
            rule(text, "", "").lint("r").into_iter().map(|l| l.kind).collect()
        };
        assert_eq!(lints("a = NULL OR b = 1"), [LintKind::NeverMatches]);
        assert_eq!(lints("1 = 1"), [LintKind::BlocksAll]);
        assert_eq!(lints("'yes'"), [LintKind::NeverMatches]);
        assert_eq!(lints("a <=> NULL OR a IS NULL OR COALESCE(a, NULL) = 1"), []);
        assert_eq!(lints(""), [LintKind::NeverMatches]);
    }

    #[test]
    fn a_rule_with_an_unknown_column_waits_for_it() {
        let rule = rule("added = 1", "", "");
        let filter = ExpressionFilter::compile([("r", &rule)], Zone::utc()).unwrap();
        let before = Table::new("s", "t", ["id"]);
        let after = Table::new("s", "t", ["id", "added"]);
        assert_eq!(filter.decide(&before.insert([1])), Verdict::Keep);
        let missing = filter.missing_columns(&before.name, &before.columns);
        assert_eq!(missing, [("r", "added".to_string())]);
        assert_eq!(filter.decide(&after.insert([1, 1])), Verdict::Drop);
        assert_eq!(filter.decide(&after.insert([1, 2])), Verdict::Keep);
        assert!(filter.missing_columns(&after.name, &after.columns).is_empty());
    }

    #[test]
    fn a_row_without_an_answer_stops_the_task() {
        let rule = rule("a + 1 > 0", "", "");
        let filter = ExpressionFilter::compile([("r", &rule)], Zone::utc()).unwrap();
        let table = Table::new("s", "t", ["a"]);
        let Verdict::Refuse(refusal) = filter.decide(&table.insert([i64::MAX])) else {
            panic!("not refused")
        };
        assert_eq!(
            refusal.to_string(),
            "r: a row of `s`.`t`, insert-value-expr: the result of + is out of range"
        );
        assert_eq!(filter.interest(&table.name), Interest::Rows);
        assert_eq!(filter.interest(&TableName::new("s", "u")), Interest::All);
    }
}
