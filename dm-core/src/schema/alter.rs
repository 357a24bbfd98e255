//! Applies the clauses of one ALTER TABLE to a structure.
//!
//! The servers do not run the clauses one after the other: they make a new table out of the old
//! one and the whole list. First the columns (dropped, changed, kept, then the new and the moved
//! ones in the order written), then the keys, whose parts follow their columns by the *old* names,
//! then the new keys. That is why `CHANGE a b INT, CHANGE b a INT` swaps two names and why `DROP
//! COLUMN a, ADD COLUMN a INT` keeps `a` in its keys. The same is done here.

use super::build::{self, Builder};
use super::charset::Defaults;
use super::condition::is_void;
use super::convert;
use super::prefix;
use super::rename::rename_in_expression;
use super::table::{Column, Key, KeyKind, KeyPart, TableSchema, same_name};
use crate::ddl::{
    AlterClause, AlterSpec, ColumnDef, DropKind, Flavor, PartitionOp, Position, SqlMode,
    TableElement, TableOption,
};
use crate::error::{Error, Result, codes};

/// What an ALTER TABLE did besides changing the structure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Altered {
    /// Columns with another name: old and new.
    pub renamed: Vec<(String, String)>,
    /// What the statement named and the structure does not have.
    pub notes: Vec<String>,
}

/// What an ALTER TABLE is applied with.
pub(super) struct AlterContext<'a> {
    pub defaults: &'a Defaults,
    pub mode: SqlMode,
    pub table: &'a str,
    pub sql: &'a str,
    /// Character set and collation of the schema, for CONVERT TO ... DEFAULT.
    pub schema: (&'a str, &'a str),
}

/// A column of the new table, and the old column that it comes from.
#[derive(Clone)]
struct NewColumn {
    column: Column,
    old: Option<String>,
}

/// Applies all clauses of one statement.
pub(super) fn alter(
    old: &TableSchema,
    clauses: &[AlterClause],
    context: &AlterContext<'_>,
) -> Result<(TableSchema, Altered)> {
    let mut work = Work::new(old, clauses, context);
    work.options();
    work.columns()?;
    work.keys();
    work.constraints();
    work.finish()
}

struct Work<'a> {
    old: &'a TableSchema,
    clauses: Vec<&'a AlterClause>,
    context: &'a AlterContext<'a>,
    builder: Builder<'a>,
    convert: Option<(String, String)>,
    columns: Vec<NewColumn>,
    new: TableSchema,
    out: Altered,
}

impl<'a> Work<'a> {
    fn new(
        old: &'a TableSchema,
        clauses: &'a [AlterClause],
        context: &'a AlterContext<'a>,
    ) -> Self {
        let inherited = (old.charset.as_str(), old.collation.as_str());
        let builder = Builder::new(context.defaults, context.mode, context.table, inherited);
        let clauses = clauses.iter().filter(|c| !is_void(old, &c.spec)).collect();
        let mut new = old.clone();
        new.columns.clear();
        new.keys.clear();
        Self {
            old,
            clauses,
            context,
            builder,
            convert: None,
            columns: Vec::new(),
            new,
            out: Altered::default(),
        }
    }

    fn specs(&self) -> impl Iterator<Item = &'a AlterSpec> + use<'a> {
        self.clauses.clone().into_iter().map(|c| &c.spec)
    }

    fn missing(&mut self, what: &str, name: &str) {
        self.out.notes.push(format!("{what} `{name}` is not there"));
    }

    /// The table's character set and collation: what an option says goes before CONVERT.
    fn table_charset(&mut self) -> (String, String) {
        let defaults = self.context.defaults;
        let mut settled = (self.old.charset.clone(), self.old.collation.clone());
        let (mut charset, mut collation) = (None, None);
        let mut said = None;
        for spec in self.specs() {
            match spec {
                AlterSpec::Convert { charset: to, collation: with } => {
                    said = with.as_deref().zip(to.as_deref());
                    let schema = self.context.schema;
                    // DEFAULT is the schema's character set; MariaDB takes the collation that is
                    // compiled in for it, whatever the schema or the server say.
                    let compiled = defaults.compiled_collation_of(schema.0);
                    let mariadb = defaults.server.flavor == Flavor::MariaDb;
                    let inherited = if mariadb { (schema.0, compiled.as_str()) } else { schema };
                    settled = defaults.resolve(to.as_deref(), with.as_deref(), inherited);
                    self.convert = Some(settled.clone());
                }
                AlterSpec::Option(TableOption::Charset(c)) => charset = Some(c.as_str()),
                AlterSpec::Option(TableOption::Collate(c)) => collation = Some(c.as_str()),
                _ => {}
            }
        }
        // To MySQL a collation that CONVERT names goes with the character set, wherever that is said again.
        let said =
            said.filter(|(_, to)| charset == Some(*to) && defaults.server.flavor == Flavor::MySql);
        let of_convert = said.map(|(with, _)| with);
        let (collation, above) = (collation.or(of_convert), self.context.schema.0);
        defaults.resolve_under(charset, collation, (&settled.0, &settled.1), above)
    }

    /// Table options: they count for the columns of the same statement.
    fn options(&mut self) {
        let settled = self.table_charset();
        (self.builder.charset, self.builder.collation) = settled.clone();
        (self.new.charset, self.new.collation) = settled;
        for spec in self.specs() {
            if let AlterSpec::Option(option) = spec {
                build::apply_option(&mut self.new, option);
            }
        }
        for clause in self.clauses.clone() {
            match &clause.spec {
                AlterSpec::Partition(PartitionOp::Define) => {
                    self.new.partitioning =
                        self.context.sql.get(clause.span.clone()).map(str::to_owned);
                }
                AlterSpec::Partition(PartitionOp::Remove) => self.new.partitioning = None,
                AlterSpec::AddSystemVersioning => self.new.system_versioned = true,
                AlterSpec::DropSystemVersioning => {
                    self.new.system_versioned = false;
                    self.new.periods.retain(|p| !same_name(&p.0, "SYSTEM_TIME"));
                }
                AlterSpec::DropPeriod(name) => {
                    self.new.periods.retain(|p| !same_name(&p.0, name));
                }
                AlterSpec::Add(TableElement::Period { name, start, end })
                    if !self.new.periods.iter().any(|p| same_name(&p.0, name)) =>
                {
                    self.new.periods.push((name.clone(), start.clone(), end.clone()));
                }
                _ => {}
            }
        }
    }

    /// The columns of the new table.
    fn columns(&mut self) -> Result {
        let mut made: Vec<(NewColumn, Position)> = Vec::new();
        for spec in self.specs() {
            match spec {
                AlterSpec::ChangeColumn { old, column, position, if_exists, .. } => {
                    let added = |(c, _): &(NewColumn, Position)| {
                        c.old.is_none() && same_name(&c.column.name, &column.name)
                    };
                    let column = match made.iter().position(added) {
                        // One that the statement adds is there by its new name, whatever the old one is.
                        Some(at) if self.old.column(old).is_none() => {
                            made.remove(at);
                            let column = self.defined(column, None, *if_exists);
                            NewColumn { column, old: None }
                        }
                        _ => self.changed(old, column, *if_exists)?,
                    };
                    made.push((column, position.clone()));
                }
                AlterSpec::AddColumns { elements, position, if_not_exists } => {
                    for element in elements {
                        let TableElement::Column(def) = element else {
                            self.builder.element(element);
                            continue;
                        };
                        let said = made.iter().any(|(c, _)| same_name(&c.column.name, &def.name));
                        let there = said || self.old.column(&def.name).is_some();
                        let checks = self.builder.checks.len();
                        let column = self.defined(def, None, *if_not_exists);
                        if *if_not_exists && there {
                            // Its keys are added all the same.
                            self.builder.checks.truncate(checks);
                            continue;
                        }
                        made.push((NewColumn { column, old: None }, position.clone()));
                    }
                }
                AlterSpec::Add(element) => self.builder.element(element),
                _ => {}
            }
        }
        self.keep_columns(&mut made);
        for (column, position) in made {
            self.place(column, &position)?;
        }
        self.check_names()
    }

    fn changed(&mut self, old: &str, def: &ColumnDef, condition: bool) -> Result<NewColumn> {
        let Some((_, before)) = self.old.column(old) else {
            return Err(self.conflict(&format!("column `{old}` is not there")));
        };
        let column = self.defined(def, Some(before), condition);
        if !same_name(old, &def.name) {
            self.out.renamed.push((before.name.clone(), def.name.clone()));
        }
        Ok(NewColumn { column, old: Some(before.name.clone()) })
    }

    /// The column that a definition makes, which may be a change of the one that was before. CONVERT TO also counts
    /// for the columns of the same statement.
    fn defined(&mut self, def: &ColumnDef, before: Option<&Column>, condition: bool) -> Column {
        let said = self.builder.keys.len();
        let mut column = match &self.convert {
            Some((charset, collation)) => {
                self.builder.column(&convert::definition(def, charset, collation))
            }
            None => self.builder.column(def),
        };
        if condition {
            self.leave_out_keys(said);
        }
        let mysql = self.context.defaults.server.flavor == Flavor::MySql;
        if let Some(before) = before.filter(|_| mysql && self.convert.is_some()) {
            convert::resize(&mut column.ty, def, before);
        }
        self.attributes(
            before.map_or(&def.name, |before| &before.name),
            &mut column,
            before.is_none(),
        );
        column
    }

    /// MariaDB takes the IF \[NOT\] EXISTS of a column for its keys, too: those from this one on are not made where
    /// one of the name is there.
    fn leave_out_keys(&mut self, from: usize) {
        let named = |key: &Key| {
            let first = key.parts.first().and_then(KeyPart::column);
            if key.name.is_empty() {
                first.unwrap_or_default().to_owned()
            } else {
                key.name.clone()
            }
        };
        let made = self.builder.keys.split_off(from);
        let there = |key: &Key| self.old.keys.iter().any(|k| same_name(&k.name, &named(key)));
        self.builder.keys.extend(made.into_iter().filter(|key| !there(key)));
    }

    /// The old columns in their order, kept or changed. What is changed and has no place of its
    /// own is taken out of `made`; what moves stands in its old place until it is moved.
    fn keep_columns(&mut self, made: &mut Vec<(NewColumn, Position)>) {
        let is = |c: &NewColumn, name: &str| c.old.as_deref().is_some_and(|o| same_name(o, name));
        let dropped: Vec<&String> = self
            .specs()
            .filter_map(
                |s| if let AlterSpec::DropColumn { name, .. } = s { Some(name) } else { None },
            )
            .collect();
        for name in &dropped {
            if self.old.column(name).is_none() {
                self.missing("column", name);
            }
        }
        for column in &self.old.columns {
            if dropped.iter().any(|d| same_name(d, &column.name)) {
                continue;
            }
            let changed = made.iter().position(|(c, _)| is(c, &column.name));
            match changed.and_then(|at| made.get(at).map(|(_, position)| (at, position.clone()))) {
                Some((at, Position::Unsaid)) => {
                    let (changed, _) = made.remove(at);
                    self.columns.push(changed);
                }
                Some((at, _)) => self.columns.extend(made.get(at).map(|(c, _)| c.clone())),
                None => {
                    let kept = self.kept(column);
                    self.columns.push(NewColumn { column: kept, old: Some(column.name.clone()) });
                }
            }
        }
    }

    /// Applies the clauses that change single attributes of the column with this old name.
    fn attributes(&self, old: &str, column: &mut Column, added: bool) {
        for spec in self.specs() {
            match spec {
                AlterSpec::ColumnDefault { name, default, .. } if same_name(name, old) => {
                    let mariadb = self.context.defaults.server.flavor == Flavor::MariaDb;
                    if mariadb && follows_clock(column) {
                        column.on_update = None;
                    }
                    column.default =
                        default.as_deref().and_then(|d| self.builder.default(d, &column.ty));
                    // MariaDB knows no old column that may be NULL and has no default.
                    if (mariadb && !added) || build::never_prints_null(column) {
                        build::settle_default(column);
                    }
                }
                AlterSpec::ColumnVisibility { name, invisible } if same_name(name, old) => {
                    column.invisible = *invisible;
                }
                _ => {}
            }
        }
    }

    /// A column that keeps its place and definition.
    fn kept(&mut self, old: &Column) -> Column {
        let mut column = old.clone();
        self.attributes(&old.name, &mut column, false);
        for spec in self.specs() {
            if let AlterSpec::RenameColumn { old: from, new, .. } = spec
                && same_name(from, &old.name)
            {
                column.name.clone_from(new);
                self.out.renamed.push((old.name.clone(), new.clone()));
            }
        }
        if let Some((charset, collation)) = &self.convert
            && column.ty.kind.is_text()
        {
            convert::column(&mut column, charset, collation, self.context.mode.is_strict());
        }
        column
    }

    /// True for the primary key column that MySQL made itself.
    fn is_generated_key(&self, column: &NewColumn) -> bool {
        let column = &column.column;
        let primary = self
            .old
            .primary_key()
            .is_some_and(|k| k.parts.len() == 1 && k.has_column(&column.name));
        self.context.defaults.server.flavor == Flavor::MySql
            && self.context.defaults.generate_invisible_primary_key
            && column.name == "my_row_id"
            && column.auto_increment
            && primary
    }

    fn place(&mut self, column: NewColumn, position: &Position) -> Result {
        self.columns.retain(|c| c.old.is_none() || c.old != column.old);
        let at = match position {
            Position::Unsaid => self.columns.len(),
            // MySQL keeps a generated invisible primary key before all others.
            Position::First => {
                usize::from(self.columns.first().is_some_and(|c| self.is_generated_key(c)))
            }
            Position::After(name) => {
                let found = self.columns.iter().position(|c| same_name(&c.column.name, name));
                let missing = || self.conflict(&format!("column `{name}` (AFTER) is not there"));
                found.ok_or_else(missing)? + 1
            }
        };
        self.columns.insert(at, column);
        Ok(())
    }

    fn conflict(&self, what: &str) -> Error {
        Error::new(
            &codes::SCHEMA_DDL,
            format!("the tracked structure of table `{}` does not fit: {what}", self.context.table),
        )
    }

    fn check_names(&self) -> Result {
        for (n, column) in self.columns.iter().enumerate() {
            let name = &column.column.name;
            if self.columns.iter().take(n).any(|c| same_name(&c.column.name, name)) {
                return Err(self.conflict(&format!("column `{name}` is there twice")));
            }
        }
        if self.columns.is_empty() {
            return Err(self.conflict("no column is left"));
        }
        Ok(())
    }

    /// The old keys with their parts under the new names; without dropped ones and empty ones.
    fn keys(&mut self) {
        for key in &self.old.keys {
            if self.key_is_dropped(key) {
                continue;
            }
            let mut kept = key.clone();
            for spec in self.specs() {
                match spec {
                    AlterSpec::RenameKey { old, new, .. } if same_name(old, &key.name) => {
                        kept.name.clone_from(new);
                        kept.generated = false;
                    }
                    AlterSpec::KeyVisibility { name, invisible } if same_name(name, &key.name) => {
                        kept.invisible = *invisible;
                    }
                    _ => {}
                }
            }
            kept.parts = key.parts.iter().filter_map(|p| self.part(p)).collect();
            if !kept.parts.is_empty() {
                self.new.keys.push(kept);
            }
        }
        let named: Vec<(&AlterSpec, &String)> = self
            .specs()
            .filter_map(|s| match s {
                AlterSpec::Drop { kind: DropKind::Key, name, .. } => Some((s, name)),
                AlterSpec::RenameKey { old, .. } => Some((s, old)),
                _ => None,
            })
            .collect();
        for (_, name) in named {
            if !self.old.keys.iter().any(|k| same_name(&k.name, name)) {
                self.missing("key", name);
            }
        }
    }

    fn key_is_dropped(&self, key: &Key) -> bool {
        self.specs().any(|s| match s {
            AlterSpec::DropPrimaryKey => key.kind == KeyKind::Primary,
            AlterSpec::Drop { kind: DropKind::Key, name, .. } => same_name(name, &key.name),
            AlterSpec::Drop { kind: DropKind::Constraint, name, .. } => {
                same_name(name, &key.name)
                    && matches!(key.kind, KeyKind::Unique | KeyKind::Primary)
                    && !self.old.foreign_keys.iter().any(|f| same_name(&f.name, name))
                    && !self.old.checks.iter().any(|c| same_name(&c.name, name))
            }
            _ => false,
        })
    }

    /// A part of an old key in the new table; `None` when its column is gone.
    fn part(&self, part: &KeyPart) -> Option<KeyPart> {
        let KeyPart::Column { name, prefix, descending } = part else {
            let KeyPart::Expression { expr, descending } = part else { return None };
            let expr = rename_in_expression(expr, &self.out.renamed);
            return Some(KeyPart::Expression { expr, descending: *descending });
        };
        let is = |c: &&NewColumn| same_name(c.old.as_deref().unwrap_or(&c.column.name), name);
        let Some(found) = self.columns.iter().find(is) else {
            // A period stands in a key by its own name.
            let period = self.new.periods.iter().any(|p| same_name(&p.0, name));
            return period.then(|| part.clone());
        };
        let before = self.old.column(name).map(|(_, c)| c);
        let prefix = match before.filter(|_| found.old.is_none()) {
            Some(before) => prefix::inherited(*prefix, before, &found.column),
            None => prefix::kept(*prefix, before, &found.column),
        };
        Some(KeyPart::Column { name: found.column.name.clone(), prefix, descending: *descending })
    }

    /// Foreign keys and checks.
    fn constraints(&mut self) {
        let dropped = |kind: DropKind, name: &str, specs: &[&AlterSpec]| {
            specs.iter().any(|s| match s {
                AlterSpec::Drop { kind: k, name: n, .. } => {
                    (*k == kind || *k == DropKind::Constraint) && same_name(n, name)
                }
                _ => false,
            })
        };
        let specs: Vec<&AlterSpec> = self.specs().collect();
        self.new.foreign_keys.retain(|k| !dropped(DropKind::ForeignKey, &k.name, &specs));
        let gone: Vec<String> = self
            .old
            .columns
            .iter()
            .filter(|c| !self.columns.iter().any(|n| n.old.as_ref() == Some(&c.name)))
            .map(|c| c.name.clone())
            .collect();
        // A check stays unless it is dropped or all columns that it looks at are gone; that of a
        // column goes with it and is given anew when the column is changed.
        let columns = &self.old.columns;
        // An expression of a key is a column, too, which goes with the key.
        let hidden = |key: &Key| key.parts.iter().any(|part| part.column().is_none());
        let drops = !gone.is_empty()
            || self.old.keys.iter().any(|key| hidden(key) && self.key_is_dropped(key));
        let changed: Vec<&String> = specs
            .iter()
            .filter_map(
                |s| if let AlterSpec::ChangeColumn { old, .. } = s { Some(old) } else { None },
            )
            .collect();
        self.new.checks.retain(|c| {
            let owned = c.column.as_ref().is_some_and(|o| {
                gone.iter().chain(changed.iter().copied()).any(|g| same_name(g, o))
            });
            let used = super::rename::columns_in_expression(&c.expr, columns);
            // A constant condition counts as one about the dropped columns only.
            let orphan = drops && c.column.is_none() && used.iter().all(|u| gone.contains(u));
            !owned && !orphan && !dropped(DropKind::Check, &c.name, &specs)
        });
        for check in &mut self.new.checks {
            for spec in &specs {
                if let AlterSpec::Enforce { name, enforced } = spec
                    && same_name(name, &check.name)
                {
                    check.enforced = *enforced;
                }
            }
            check.expr = rename_in_expression(&check.expr, &self.out.renamed);
            if let Some(column) = &mut check.column
                && let Some((_, new)) = self.out.renamed.iter().find(|(o, _)| same_name(o, column))
            {
                column.clone_from(new);
            }
        }
    }

    /// New keys need their columns, a name of their own, and there is one primary key.
    fn check_keys(&self) -> Result {
        for (n, key) in self.builder.keys.iter().enumerate() {
            let others = self.new.keys.iter().chain(self.builder.keys.iter().take(n));
            let taken = |other: &Key| !key.name.is_empty() && same_name(&other.name, &key.name);
            // A key made for a foreign key goes away when another has its name or serves as well.
            if !key.generated && others.filter(|k| !k.generated).any(taken) {
                return Err(self.conflict(&format!("key `{}` is there already", key.name)));
            }
            for column in key.parts.iter().filter_map(KeyPart::column) {
                let period = self.new.periods.iter().any(|p| same_name(&p.0, column));
                if self.new.column(column).is_none() && !period {
                    return Err(self.conflict(&format!("key column `{column}` is not there")));
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(TableSchema, Altered)> {
        let renamed = &self.out.renamed;
        let new_name = |name: &mut String| {
            if let Some((_, new)) = renamed.iter().find(|(old, _)| same_name(old, name)) {
                name.clone_from(new);
            }
        };
        self.new.foreign_keys.iter_mut().flat_map(|k| &mut k.columns).for_each(new_name);
        for (_, start, end) in &mut self.new.periods {
            new_name(start);
            new_name(end);
        }
        self.new.columns =
            std::mem::take(&mut self.columns).into_iter().map(|c| c.column).collect();
        for column in &mut self.new.columns {
            if let Some(generated) = &mut column.generated {
                generated.expr = rename_in_expression(&generated.expr, renamed);
            }
        }
        self.check_keys()?;
        self.builder.finish(&mut self.new, false);
        Ok((self.new, self.out))
    }
}

/// True for a column that begins with the time of the insert.
fn follows_clock(column: &Column) -> bool {
    column.default.as_deref().is_some_and(|d| d.starts_with("CURRENT_TIMESTAMP"))
}
