//! The columns of the new table: which stay, what becomes of them, where the new and the moved ones go.
use super::{NewColumn, Work};
use crate::ddl::{AlterSpec, ColumnDef, Flavor, Position, TableElement};
use crate::error::Result;
use crate::schema::build;
use crate::schema::convert;
use crate::schema::table::{Column, Key, KeyPart, same_name};

impl Work<'_> {
    /// The columns of the new table.
    pub(super) fn columns(&mut self) -> Result {
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
}
/// True for a column that begins with the time of the insert.
fn follows_clock(column: &Column) -> bool {
    column.default.as_deref().is_some_and(|d| d.starts_with("CURRENT_TIMESTAMP"))
}
