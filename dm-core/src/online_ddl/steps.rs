//! What a statement means to an online schema change, told by the names in it.

use dm_filter::TableName;

use super::names::{Kind, Names};
use crate::ddl::{AlterTable, Body, NameRole, PartitionOp, Statement, StatementKind, parse};
use crate::error::{Code, Result, codes};
use crate::sql::quote_table;

/// One thing that a statement does.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Something on real tables alone: it goes its ordinary way.
    Rest(Box<Statement>),
    /// A ghost table is made.
    Begin(TableName),
    /// A ghost table is gone, and with it what was meant to become of it.
    Forget(TableName),
    /// A ghost table is changed.
    Remember(TableName),
    /// A ghost table takes the place of the real one.
    Finish {
        /// The ghost table.
        ghost: TableName,
        /// The table that it becomes.
        real: TableName,
        /// The statement changes the ghost, too: its text without the rename.
        changes: Option<String>,
    },
    /// A real table gets a trash name.
    Leave {
        /// The table.
        real: TableName,
        /// Its name from now on.
        trash: TableName,
    },
    /// A trash table gets a real name.
    Return {
        /// The trash table.
        trash: TableName,
        /// Its name from now on.
        real: TableName,
    },
    /// A trash table is dropped.
    Gone(TableName),
    /// Something that concerns this helper table and nothing else.
    Nothing(TableName),
    /// What no tool does, and what cannot be followed.
    Wrong {
        /// The table that decides whether it matters.
        table: TableName,
        /// The error that it is.
        code: &'static Code,
        /// What happened.
        text: String,
    },
}

/// What a statement does, in order; `None` when it concerns no ghost and no trash table.
///
/// # Errors
///
/// When what is left of the statement without these tables cannot be put together.
pub fn read(names: &Names, statement: &Statement) -> Result<Option<Vec<Step>>> {
    match &statement.body {
        Body::RenameTable(pairs) => renames(names, statement, pairs),
        Body::DropTable { tables, if_exists, .. } => drops(names, statement, tables, *if_exists),
        Body::AlterTable(alter) => match statement.new_name() {
            Some(new) => Ok(alter_rename(names, statement, alter, new)),
            None => Ok(subject(names, statement)),
        },
        _ => Ok(subject(names, statement)),
    }
}

/// A statement about one table.
fn subject(names: &Names, statement: &Statement) -> Option<Vec<Step>> {
    let subject = statement.subject().filter(|s| s.role == NameRole::Table)?;
    let table = subject.name.clone();
    let step = match names.kind(&table) {
        Kind::Real => return None,
        Kind::Trash(_) => Step::Nothing(table),
        Kind::Ghost(_) => match statement.kind {
            StatementKind::CreateTable => Step::Begin(table),
            // The ghost is emptied before it is filled: nothing that the real table should do.
            StatementKind::TruncateTable => Step::Nothing(table),
            _ if empties(statement) => Step::Nothing(table),
            _ => Step::Remember(table),
        },
    };
    Some(vec![step])
}

fn empties(statement: &Statement) -> bool {
    let ops = statement.partition_ops();
    !ops.is_empty() && ops.iter().all(|op| *op == PartitionOp::Truncate)
}

fn drops(
    names: &Names,
    statement: &Statement,
    tables: &[TableName],
    if_exists: bool,
) -> Result<Option<Vec<Step>>> {
    if !tables.iter().any(|t| names.is_helper(t)) {
        return Ok(None);
    }
    let (mut steps, mut rest) = (Vec::new(), Vec::new());
    for table in tables {
        match names.kind(table) {
            Kind::Real => rest.push(quote_table(table)),
            Kind::Ghost(_) => steps.push(Step::Forget(table.clone())),
            Kind::Trash(_) => steps.push(Step::Gone(table.clone())),
        }
    }
    if !rest.is_empty() {
        let condition = if if_exists { "IF EXISTS " } else { "" };
        let text = format!("DROP TABLE {condition}{}", rest.join(", "));
        steps.push(Step::Rest(Box::new(reread(&text, statement)?)));
    }
    Ok(Some(steps))
}

fn renames(
    names: &Names,
    statement: &Statement,
    pairs: &[(TableName, TableName)],
) -> Result<Option<Vec<Step>>> {
    if !pairs.iter().any(|(from, to)| names.is_helper(from) || names.is_helper(to)) {
        return Ok(None);
    }
    let mut steps = Vec::new();
    let mut rest: Vec<String> = Vec::new();
    let flush = |rest: &mut Vec<String>, steps: &mut Vec<Step>| -> Result {
        if !rest.is_empty() {
            let text = format!("RENAME TABLE {}", std::mem::take(rest).join(", "));
            steps.push(Step::Rest(Box::new(reread(&text, statement)?)));
        }
        Ok(())
    };
    for (at, (from, to)) in pairs.iter().enumerate() {
        if let Some(wrong) = half_fit(names, &pairs[..=at], (from, to)) {
            steps.push(wrong);
            continue;
        }
        match rename(names, from, to) {
            Some(step) => {
                flush(&mut rest, &mut steps)?;
                steps.push(step);
            }
            None => rest.push(format!("{} TO {}", quote_table(from), quote_table(to))),
        }
    }
    flush(&mut rest, &mut steps)?;
    Ok(Some(steps))
}

/// A table takes the place of one that has just left: either both are the tool's names or none is.
/// Otherwise the rules do not fit the names of the tool.
fn half_fit(
    names: &Names,
    before: &[(TableName, TableName)],
    (from, to): (&TableName, &TableName),
) -> Option<Step> {
    let (_, left_for) = before.iter().rev().skip(1).find(|(old, _)| names.same(old, to))?;
    let is_ghost = matches!(names.kind(from), Kind::Ghost(_));
    let is_trash = matches!(names.kind(left_for), Kind::Trash(_));
    (names.kind(to) == Kind::Real && is_ghost != is_trash).then(|| Step::Wrong {
        table: to.clone(),
        code: &codes::CONFIG_ONLINE_RENAME,
        text: format!(
            "{from} takes the place of {to}, which becomes {left_for}: by the rules {} a ghost \
             table, but {} a trash table",
            if is_ghost { "the first is" } else { "the first is not" },
            if is_trash { "the last is" } else { "the last is not" },
        ),
    })
}

/// ALTER TABLE ... RENAME: gh-ost's cut-over in two steps.
fn alter_rename(
    names: &Names,
    statement: &Statement,
    alter: &AlterTable,
    new: &TableName,
) -> Option<Vec<Step>> {
    if names.same(&alter.name, new) {
        return subject(names, statement);
    }
    Some(vec![match rename(names, &alter.name, new)? {
        Step::Finish { ghost, real, .. } => {
            Step::Finish { ghost, real, changes: statement.without_rename() }
        }
        other => other,
    }])
}

/// One rename; `None` when both names are real ones.
fn rename(names: &Names, from: &TableName, to: &TableName) -> Option<Step> {
    let wrong = |table: &TableName, code, text: &str| Step::Wrong {
        table: table.clone(),
        code,
        text: format!("{from} is renamed to {to}: {text}"),
    };
    Some(match (names.kind(from), names.kind(to)) {
        (Kind::Real, Kind::Real) => return None,
        (Kind::Real, Kind::Trash(_)) => Step::Leave { real: from.clone(), trash: to.clone() },
        (Kind::Real, Kind::Ghost(_)) => wrong(
            from,
            &codes::SYNC_ONLINE_RENAME_REAL,
            "a table whose rows are followed gets the name of a ghost table, whose rows are not",
        ),
        (Kind::Ghost(_), Kind::Real) => {
            if names.is_ghost_of(from, to) {
                Step::Finish { ghost: from.clone(), real: to.clone(), changes: None }
            } else {
                let text = "a ghost table gets a name that is not the one of its real table";
                wrong(to, &codes::SYNC_ONLINE_RENAME_GHOST, text)
            }
        }
        (Kind::Ghost(real), Kind::Ghost(_)) => wrong(
            &real,
            &codes::SYNC_ONLINE_RENAME_GHOST,
            "a ghost table gets the name of another ghost table",
        ),
        (Kind::Ghost(_), Kind::Trash(_)) => Step::Forget(from.clone()),
        (Kind::Trash(real), Kind::Ghost(_)) => wrong(
            &real,
            &codes::SYNC_ONLINE_RENAME_GHOST,
            "a trash table gets the name of a ghost table",
        ),
        (Kind::Trash(_), Kind::Real) => Step::Return { trash: from.clone(), real: to.clone() },
        (Kind::Trash(_), Kind::Trash(_)) => Step::Nothing(from.clone()),
    })
}

/// A part of a statement, read as the whole was.
fn reread(text: &str, whole: &Statement) -> Result<Statement> {
    parse(text, &whole.context)
}

/// DROP of a table that is at the target alone.
///
/// # Errors
///
/// Never for a name that a server takes.
pub(super) fn drop_of(table: &TableName, whole: &Statement) -> Result<Statement> {
    reread(&format!("DROP TABLE IF EXISTS {}", quote_table(table)), whole)
}
