//! Makes columns and keys out of what statements say, filling in what they leave out.
//!
//! The rules are those of the servers' own preparation of a table: character sets are inherited
//! from the table, the schema, the server; primary keys make their columns NOT NULL; keys without
//! a name are named after their first column; keys are ordered by what they enforce.

mod moments;
mod types;

use self::moments::{begin_at_zero, first_moments};
pub(super) use self::types::{binary_kind, text_for};
use super::charset::Defaults;
use super::default;
use super::keys::{
    add_invisible_key, name_checks, name_foreign_keys, settle_hashed_keys, settle_keys,
    settle_periods,
};
use super::prefix;
use super::table::{Check, Column, ColumnType, ForeignKey, Key, KeyKind, TableSchema, TypeKind};
use crate::ddl::{
    CheckDef, ColumnDef, CreateTable, Flavor, ForeignKeyDef, Generated, KeyDef, SqlMode,
    TableElement, TableOption, quote_string,
};
use crate::sql::quote_ident;

/// What the columns and keys of one statement are made with.
pub(super) struct Builder<'a> {
    pub defaults: &'a Defaults,
    pub mode: SqlMode,
    /// Name of the table, for the names that servers make up.
    pub table: &'a str,
    /// Character set and collation that columns inherit.
    pub charset: String,
    pub collation: String,
    /// The text is a server's own print: nothing is made up.
    pub shown: bool,
    /// The columns are those of a query, as the server tells them: one without a default has none.
    queried: bool,
    /// Keys of this statement, in the order written.
    pub keys: Vec<Key>,
    /// Foreign keys of this statement.
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints of this statement.
    pub checks: Vec<Check>,
    /// TIMESTAMP columns of this statement that say nothing of their value.
    plain_timestamps: Vec<String>,
}

/// A key without a name yet.
const UNNAMED: &str = "";

impl<'a> Builder<'a> {
    pub fn new(
        defaults: &'a Defaults,
        mode: SqlMode,
        table: &'a str,
        inherited: (&str, &str),
    ) -> Self {
        Self {
            defaults,
            mode,
            table,
            charset: inherited.0.to_owned(),
            collation: inherited.1.to_owned(),
            shown: false,
            queried: false,
            keys: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            plain_timestamps: Vec::new(),
        }
    }

    fn flavor(&self) -> Flavor {
        self.defaults.server.flavor
    }

    /// The structure that CREATE TABLE makes.
    pub fn table(mut self, create: &CreateTable) -> TableSchema {
        let mut table = TableSchema::default();
        self.queried = create.starts_transaction();
        let (charset, collation) = option_charset(&create.options);
        let inherited = (self.charset.clone(), self.collation.clone());
        (self.charset, self.collation) = self.defaults.resolve_under(
            charset,
            collation,
            (&inherited.0, &inherited.1),
            &inherited.0,
        );
        table.charset.clone_from(&self.charset);
        table.collation.clone_from(&self.collation);
        for option in &create.options {
            apply_option(&mut table, option);
        }
        table.partitioning.clone_from(&create.partitioning);
        for element in &create.elements {
            match element {
                TableElement::Column(def) => {
                    let column = self.column(def);
                    table.system_versioned |= is_versioned(&column);
                    table.columns.push(column);
                }
                TableElement::Period { name, start, end } => {
                    table.periods.push((name.clone(), start.clone(), end.clone()));
                }
                other => self.element(other),
            }
        }
        self.finish(&mut table, true);
        table
    }

    /// Takes in a key, foreign key or check.
    pub fn element(&mut self, element: &TableElement) {
        match element {
            TableElement::Key(def) => self.key(def),
            TableElement::ForeignKey(def) => self.foreign_key(def),
            TableElement::Check(def) => self.check(def, None),
            TableElement::Column(_) | TableElement::Period { .. } => {}
        }
    }

    /// Adds what has been taken in to a table, and puts names, order and NOT NULL right.
    pub fn finish(self, table: &mut TableSchema, created: bool) {
        let flavor = self.flavor();
        self.promote_timestamp(table);
        settle_periods(table);
        let order = self.shown.then(|| self.keys.clone());
        table.keys.extend(self.keys);
        name_checks(&mut table.checks, self.checks, self.table, flavor);
        if flavor == Flavor::TiDb || !without_foreign_keys(&table.engine) {
            name_foreign_keys(&mut table.foreign_keys, self.foreign_keys, self.table);
        }
        let begins = first_moments(table, self.defaults);
        settle_keys(table, flavor);
        if !self.shown {
            begin_at_zero(table, &begins);
            if flavor == Flavor::MariaDb {
                settle_hashed_keys(table);
            }
            prefix::settle_spatial(table, self.defaults);
            prefix::cut(table, self.defaults);
        }
        if let Some(order) = order {
            let at = |key: &Key| order.iter().position(|k| k.name == key.name);
            table.keys.sort_by_key(|k| at(k));
        }
        if created && self.defaults.generate_invisible_primary_key {
            add_invisible_key(table);
        }
    }

    /// A column with everything filled in; its keys and checks are taken in.
    pub fn column(&mut self, def: &ColumnDef) -> Column {
        let ty = self.column_type(&def.ty);
        let of_period = def.generated.as_ref().is_some_and(Generated::is_of_period);
        let mut column = Column {
            name: def.name.clone(),
            nullable: self.nullable(def) && !of_period,
            default: def.default.as_deref().and_then(|d| self.default(d, &ty)),
            on_update: def.on_update.as_deref().and_then(|u| self.default(u, &ty)),
            generated: def.generated.clone(),
            auto_increment: def.auto_increment,
            invisible: def.invisible,
            comment: def.comment.clone(),
            attributes: def.attributes.clone(),
            ty,
        };
        self.implicit_timestamp(def, &mut column);
        let follows = column.on_update.is_some() && !column.nullable && def.default.is_none();
        if self.flavor() == Flavor::MariaDb && follows && !self.shown {
            column.default = self.default("0", &column.ty);
        }
        let unchecked = def.checks.is_empty();
        if self.flavor() == Flavor::MariaDb && def.ty.kind == TypeKind::Json && unchecked {
            let expr = format!("json_valid({})", quote_ident(&def.name));
            self.check(
                &CheckDef { name: None, expr, enforced: true, if_not_exists: false },
                Some(def),
            );
        }
        for check in &def.checks {
            self.check(check, Some(def));
        }
        if def.primary {
            self.column_key(KeyKind::Primary, "PRIMARY", &def.name);
        }
        // To MariaDB a column that is the primary key needs no word of UNIQUE.
        if def.unique && !(def.primary && self.flavor() == Flavor::MariaDb) {
            self.column_key(KeyKind::Unique, UNNAMED, &def.name);
        }
        if let Some(reference) = &def.references {
            self.inline_reference(reference, &def.name);
        }
        // MariaDB gives a compressed column without a default an empty one.
        let empty = column.ty.compressed && !column.nullable && !self.shown;
        if empty && self.flavor() == Flavor::MariaDb && column.default.is_none() {
            column.default = Some(quote_string(""));
        }
        if !(self.shown || self.queried) || never_prints_null(&column) {
            settle_default(&mut column);
        }
        column
    }

    /// What a column says of NULL. NULL behind AUTO_INCREMENT has its way, and is printed by no word then.
    fn nullable(&self, def: &ColumnDef) -> bool {
        def.nullable.unwrap_or(!def.primary && (self.shown || !def.auto_increment))
    }

    /// A default in its canonical spelling.
    pub fn default(&self, text: &str, ty: &ColumnType) -> Option<String> {
        let (flavor, server) = (self.flavor(), self.defaults.server);
        if self.shown && text == "-0" {
            // MariaDB prints numbers without quotes, and a zero below zero only where it has one.
            return Some(text.to_owned());
        }
        let default = default::canonical(text, ty, self.mode, server);
        if flavor == Flavor::MariaDb {
            return Some(default::without_parens(default, ty, self.mode, server));
        }
        // Without strict mode MySQL takes an empty default of a text with a warning, and drops it.
        let dropped =
            flavor == Flavor::MySql && is_blob(ty.kind) && !self.shown && !default.starts_with('(');
        (!dropped || default == "NULL").then_some(default)
    }

    fn column_key(&mut self, kind: KeyKind, name: &str, column: &str) {
        self.keys.push(Key::over(name, kind, [column]));
    }

    /// REFERENCES behind a column was read and ignored by MySQL before 9.0 and MariaDB before
    /// 10.5.
    fn inline_reference(&mut self, reference: &ForeignKeyDef, column: &str) {
        let server = self.defaults.server;
        if server.at_least(Flavor::MySql, 90_000) || server.at_least(Flavor::MariaDb, 100_500) {
            let columns = vec![column.to_owned()];
            self.foreign_key(&ForeignKeyDef { columns, ..reference.clone() });
        }
    }

    fn key(&mut self, def: &KeyDef) {
        let name = match def.kind {
            KeyKind::Primary => "PRIMARY",
            _ => def.name.as_deref().unwrap_or(UNNAMED),
        };
        let mut key = Key::new(name, def.kind, def.parts.clone());
        key.invisible = def.invisible;
        key.comment.clone_from(&def.comment);
        key.options.clone_from(&def.options);
        self.keys.push(key);
    }

    fn foreign_key(&mut self, def: &ForeignKeyDef) {
        // MariaDB names the constraint after the index when it has no name of its own.
        let index_name = def.index_name.as_ref().filter(|_| self.flavor() == Flavor::MariaDb);
        self.foreign_keys.push(ForeignKey {
            name: def.name.as_ref().or(index_name).cloned().unwrap_or_default(),
            columns: def.columns.clone(),
            parent_schema: def.parent.schema.clone(),
            parent_table: def.parent.table.clone(),
            parent_columns: def.parent_columns.clone(),
            on_delete: self.action(&def.on_delete),
            on_update: self.action(&def.on_update),
        });
        if self.shown {
            return;
        }
        let name = def.name.as_ref().or(def.index_name.as_ref());
        let name = name.map_or(UNNAMED, String::as_str);
        let mut key = Key::over(name, KeyKind::Plain, &def.columns);
        key.generated = true;
        self.keys.push(key);
    }

    /// MariaDB takes SET DEFAULT and drops it.
    fn action(&self, action: &str) -> String {
        let dropped = action == "SET DEFAULT" && self.flavor() == Flavor::MariaDb;
        if dropped { String::new() } else { action.to_owned() }
    }

    /// A CHECK; `column` is the column that it stands behind.
    pub fn check(&mut self, def: &CheckDef, column: Option<&ColumnDef>) {
        let server = self.defaults.server;
        let kept = match server.flavor {
            Flavor::MySql => server.number >= 80_016,
            Flavor::MariaDb => server.number >= 100_201,
            Flavor::TiDb => true,
        };
        if !kept {
            return;
        }
        // MariaDB keeps it with the column; the others make it one of the table.
        let owner = if server.flavor == Flavor::MariaDb || self.shown { column } else { None };
        self.checks.push(Check {
            name: def.name.clone().unwrap_or_default(),
            expr: def.expr.clone(),
            enforced: def.enforced,
            column: owner.map(|c| c.name.clone()),
        });
    }
}

/// True for a column that makes its table a versioned one.
fn is_versioned(column: &Column) -> bool {
    let words = ["WITH", "SYSTEM", "VERSIONING"];
    column.attributes.iter().any(|attribute| {
        let mut said = attribute.split_whitespace();
        words.iter().all(|w| said.next().is_some_and(|s| s.eq_ignore_ascii_case(w)))
    })
}

/// A column that may be NULL and has no default has NULL as its default.
pub(super) fn settle_default(column: &mut Column) {
    let computed = column.generated.is_some() || column.auto_increment;
    if computed || !column.nullable {
        if computed || column.default.as_deref() == Some("NULL") {
            column.default = None;
        }
    } else if column.default.is_none() {
        column.default = Some("NULL".to_owned());
    }
}

/// True for types whose values are stored outside of the row. MySQL prints their nullable columns
/// without DEFAULT NULL, and lets them have no literal default.
pub(super) fn is_blob(kind: TypeKind) -> bool {
    kind.is_text_or_blob()
        || kind.is_geometry()
        || matches!(kind, TypeKind::Json | TypeKind::Vector)
}

/// True for columns of which no default and NULL look the same when MySQL prints them.
pub(super) fn never_prints_null(column: &Column) -> bool {
    is_blob(column.ty.kind)
}

/// The charset and collation among options; the last of each counts.
pub(super) fn option_charset(options: &[TableOption]) -> (Option<&str>, Option<&str>) {
    let mut found = (None, None);
    for option in options {
        match option {
            TableOption::Charset(charset) => found.0 = Some(charset.as_str()),
            TableOption::Collate(collation) => found.1 = Some(collation.as_str()),
            _ => {}
        }
    }
    found
}

/// Takes over an option other than character set and collation.
pub(super) fn apply_option(table: &mut TableSchema, option: &TableOption) {
    match option {
        TableOption::Comment(comment) => table.comment.clone_from(comment),
        TableOption::Engine(engine) => table.engine.clone_from(engine),
        TableOption::SystemVersioning => table.system_versioned = true,
        TableOption::Other(name, value) => {
            match table.options.iter_mut().find(|(n, _)| n == name) {
                Some((_, old)) => old.clone_from(value),
                None => table.options.push((name.clone(), value.clone())),
            }
        }
        TableOption::Charset(_) | TableOption::Collate(_) | TableOption::StartTransaction(_) => {}
    }
}

/// True for engines that read foreign keys and keep only the keys that go with them.
fn without_foreign_keys(engine: &str) -> bool {
    let engines = [
        "MYISAM",
        "MEMORY",
        "HEAP",
        "ARIA",
        "ARCHIVE",
        "CSV",
        "MERGE",
        "MRG_MYISAM",
        "BLACKHOLE",
        "FEDERATED",
    ];
    engines.iter().any(|name| engine.eq_ignore_ascii_case(name))
}
