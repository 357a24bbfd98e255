//! Makes columns and keys out of what statements say, filling in what they leave out.
//!
//! The rules are those of the servers' own preparation of a table: character sets are inherited
//! from the table, the schema, the server; primary keys make their columns NOT NULL; keys without
//! a name are named after their first column; keys are ordered by what they enforce.

use super::charset::{self, Defaults};
use super::convert;
use super::default;
use super::keys::{
    add_invisible_key, name_checks, name_foreign_keys, settle_hashed_keys, settle_keys,
    settle_periods,
};
use super::prefix;
use super::table::{Check, Column, ColumnType, ForeignKey, Key, KeyKind, TableSchema, TypeKind};
use crate::ddl::{
    CheckDef, ColumnDef, CreateTable, Flavor, ForeignKeyDef, Generated, KeyDef, ServerVersion,
    SqlMode, TableElement, TableOption, TypeSpec, quote_string,
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

    /// Without `explicit_defaults_for_timestamp` a TIMESTAMP is NOT NULL unless it says NULL, and
    /// begins at zero.
    fn implicit_timestamp(&mut self, def: &ColumnDef, column: &mut Column) {
        if column.ty.kind != TypeKind::Timestamp || self.defaults.explicit_defaults_for_timestamp {
            return;
        }
        if def.nullable == Some(true) || def.generated.is_some() {
            return;
        }
        column.nullable = false;
        // MariaDB takes DEFAULT NULL for no word.
        let said = def.default.as_deref().filter(|d| !d.eq_ignore_ascii_case("NULL"));
        if said.is_none() {
            column.default =
                Some(default::canonical("0", &column.ty, self.mode, self.defaults.server));
            if def.on_update.is_none() {
                self.plain_timestamps.push(def.name.clone());
            }
        }
    }

    /// The first TIMESTAMP of the table follows the clock if it says nothing of its value, or has none since an
    /// earlier statement.
    fn promote_timestamp(&self, table: &mut TableSchema) {
        let implicit = !self.shown && !self.defaults.explicit_defaults_for_timestamp;
        let plain = |c: &&mut Column| {
            let valueless = c.default.is_none() && c.on_update.is_none() && c.generated.is_none();
            self.plain_timestamps.contains(&c.name) || (implicit && !c.nullable && valueless)
        };
        let first = table.columns.iter_mut().find(|c| c.ty.kind == TypeKind::Timestamp);
        if let Some(column) = first.filter(plain) {
            let now = default_now(column.ty.decimals);
            // In a column of an earlier statement MySQL sets the one and forgets the other.
            let old = !self.plain_timestamps.contains(&column.name);
            if !(old && self.defaults.server.flavor == Flavor::MySql) {
                column.default = Some(now.clone());
            }
            column.on_update = Some(now);
        }
    }

    /// A type with its length, character set and collation filled in.
    pub fn column_type(&self, spec: &TypeSpec) -> ColumnType {
        let mut ty = ColumnType::new(spec.kind);
        if self.flavor() == Flavor::MariaDb && spec.collation.is_some() {
            // A collation makes bytes a text.
            ty.kind = convert::text_kind(ty.kind);
        }
        ty.length = spec.length.map(|l| u32::try_from(l).unwrap_or(u32::MAX));
        ty.decimals = spec.decimals;
        ty.unsigned = spec.unsigned;
        ty.zerofill = spec.zerofill;
        ty.labels.clone_from(&spec.labels);
        // MariaDB reads REF_SYSTEM_ID and shows it nowhere.
        ty.srid = spec.srid.filter(|_| self.shown || self.flavor() != Flavor::MariaDb);
        ty.compressed = spec.compressed;
        if spec.kind == TypeKind::Json && self.flavor() == Flavor::MariaDb {
            ty.kind = TypeKind::LongText;
            let collation = spec.collation.as_deref();
            let own = ("utf8mb4", "utf8mb4_bin");
            (ty.charset, ty.collation) = self.defaults.resolve(None, collation, own);
            return ty;
        }
        if ty.kind.is_text() {
            self.text_type(spec, &mut ty);
        }
        settle_length(&mut ty, self.flavor());
        let varying = matches!(ty.kind, TypeKind::VarChar | TypeKind::VarBinary);
        if self.mode.is_strict() || !varying {
            return ty;
        }
        // Without strict mode a VARCHAR that is too long becomes a TEXT that is long enough.
        let bytes = u64::from(ty.length.unwrap_or(0)) * charset::max_bytes(&ty.charset);
        if bytes > 65_535 {
            let text = text_for(bytes, TypeKind::Text);
            ty.kind = if ty.kind == TypeKind::VarChar { text } else { binary_kind(text) };
            ty.length = None;
        }
        ty
    }

    fn text_type(&self, spec: &TypeSpec, ty: &mut ColumnType) {
        let inherited = (self.charset.as_str(), self.collation.as_str());
        let charset = spec.charset.as_deref();
        let (charset, collation) =
            self.defaults.resolve(charset, spec.collation.as_deref(), inherited);
        let binary = spec.binary && spec.collation.is_none();
        ty.collation = if binary { charset::binary_collation(&charset) } else { collation };
        ty.charset = charset;
        let bytes = ty.length.map(|l| u64::from(l) * charset::max_bytes(&ty.charset));
        if let (TypeKind::Text, Some(bytes)) = (ty.kind, bytes) {
            ty.kind = text_for(bytes, least_text(bytes, self.flavor()));
            ty.length = None;
        }
        if ty.charset == "binary" && !matches!(ty.kind, TypeKind::Enum | TypeKind::Set) {
            ty.kind = binary_kind(ty.kind);
            ty.charset.clear();
            ty.collation.clear();
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

/// Columns that begin at zero when the primary key takes NULL from them: in MariaDB those that follow the clock, and
/// TIMESTAMP without `explicit_defaults_for_timestamp`.
fn first_moments(table: &TableSchema, defaults: &Defaults) -> Vec<String> {
    if defaults.server.flavor != Flavor::MariaDb {
        return Vec::new();
    }
    let implicit = !defaults.explicit_defaults_for_timestamp;
    let begins =
        |c: &&Column| c.on_update.is_some() || (implicit && c.ty.kind == TypeKind::Timestamp);
    let columns = table.columns.iter().filter(|c| c.nullable && c.generated.is_none());
    columns.filter(begins).map(|c| c.name.clone()).collect()
}

fn begin_at_zero(table: &mut TableSchema, names: &[String]) {
    let server = ServerVersion::default();
    for column in &mut table.columns {
        if !column.nullable && column.default.is_none() && names.contains(&column.name) {
            let zero = default::canonical("0", &column.ty, SqlMode::default(), server);
            column.default = Some(zero);
        }
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

fn default_now(decimals: Option<u32>) -> String {
    match decimals.unwrap_or(0) {
        0 => "CURRENT_TIMESTAMP".to_owned(),
        n => format!("CURRENT_TIMESTAMP({n})"),
    }
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

pub(super) fn binary_kind(kind: TypeKind) -> TypeKind {
    use TypeKind as T;
    match kind {
        T::Char => T::Binary,
        T::VarChar => T::VarBinary,
        T::TinyText => T::TinyBlob,
        T::Text => T::Blob,
        T::MediumText => T::MediumBlob,
        T::LongText => T::LongBlob,
        other => other,
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

/// The smallest type of TEXT(n) and BLOB(n): to MariaDB no length at all is that of 0.
fn least_text(bytes: u64, flavor: Flavor) -> TypeKind {
    if bytes == 0 && flavor == Flavor::MariaDb { TypeKind::Text } else { TypeKind::TinyText }
}

/// The smallest text type, at least this one, that holds so many bytes.
pub(super) fn text_for(bytes: u64, least: TypeKind) -> TypeKind {
    match bytes {
        0..=255 => least,
        256..=65_535 => TypeKind::Text,
        65_536..=16_777_215 => TypeKind::MediumText,
        _ => TypeKind::LongText,
    }
}

/// Fills in lengths that are left out, and drops those that say nothing.
fn settle_length(ty: &mut ColumnType, flavor: Flavor) {
    use TypeKind as T;
    match ty.kind {
        T::Decimal => {
            ty.length = ty.length.filter(|l| *l > 0).or(Some(10));
            ty.decimals = ty.decimals.or(Some(0));
        }
        T::Float if ty.decimals.is_none() => {
            if ty.length.is_some_and(|l| l > 24) {
                ty.kind = T::Double;
            }
            ty.length = None;
        }
        T::Char | T::Binary | T::Bit => ty.length = ty.length.or(Some(1)),
        T::Year => ty.length = ty.length.filter(|l| *l == 2),
        T::Time | T::DateTime | T::Timestamp => ty.decimals = ty.decimals.filter(|d| *d > 0),
        T::Blob if ty.length.is_some() => {
            let bytes = u64::from(ty.length.unwrap_or(0));
            ty.kind = binary_kind(text_for(bytes, least_text(bytes, flavor)));
            ty.length = None;
        }
        T::Vector if flavor == Flavor::MySql => ty.length = ty.length.or(Some(2048)),
        T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt if ty.zerofill => {
            ty.length = ty.length.or(Some(match ty.kind {
                T::TinyInt => 3,
                T::SmallInt => 5,
                T::MediumInt => 8,
                T::Int => 10,
                _ => 20,
            }));
        }
        _ => {}
    }
}
