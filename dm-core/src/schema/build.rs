//! Makes columns and keys out of what statements say, filling in what they leave out.
//!
//! The rules are those of the servers' own preparation of a table: character sets are inherited
//! from the table, the schema, the server; primary keys make their columns NOT NULL; keys without
//! a name are named after their first column; keys are ordered by what they enforce.

use super::charset::{self, Defaults};
use super::default;
use super::table::{
    Check, Column, ColumnType, ForeignKey, Key, KeyKind, KeyPart, TableSchema, TypeKind, same_name,
};
use crate::ddl::{
    CheckDef, ColumnDef, CreateTable, Flavor, ForeignKeyDef, KeyDef, SqlMode, TableElement,
    TableOption, TypeSpec, quote_ident,
};

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
    /// Keys of this statement, in the order written.
    pub keys: Vec<Key>,
    /// Foreign keys of this statement.
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints of this statement.
    pub checks: Vec<Check>,
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
            keys: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
        }
    }

    fn flavor(&self) -> Flavor {
        self.defaults.server.flavor
    }

    /// The structure that CREATE TABLE makes.
    pub fn table(mut self, create: &CreateTable) -> TableSchema {
        let mut table = TableSchema::default();
        let (charset, collation) = option_charset(&create.options);
        let inherited = (self.charset.clone(), self.collation.clone());
        (self.charset, self.collation) =
            self.defaults.resolve(charset, collation, (&inherited.0, &inherited.1));
        table.charset.clone_from(&self.charset);
        table.collation.clone_from(&self.collation);
        for option in &create.options {
            apply_option(&mut table, option);
        }
        table.partitioning.clone_from(&create.partitioning);
        let mut first_timestamp = true;
        for element in &create.elements {
            match element {
                TableElement::Column(def) => {
                    let column = self.column(def, &mut first_timestamp);
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
        let order = self.shown.then(|| self.keys.clone());
        table.keys.extend(self.keys);
        name_checks(&mut table.checks, self.checks, self.table, self.defaults.server.flavor);
        name_foreign_keys(&mut table.foreign_keys, self.foreign_keys, self.table);
        settle_keys(table);
        if !self.shown {
            cut_prefixes(table, self.defaults.server);
        }
        if let Some(order) = order {
            let at = |key: &Key| order.iter().position(|k| k.name == key.name);
            table.keys.sort_by_key(|k| at(k));
        }
        let without_key = table.primary_key().is_none();
        if created && without_key && self.defaults.generate_invisible_primary_key {
            add_invisible_key(table);
        }
    }

    /// A column with everything filled in; its keys and checks are taken in.
    pub fn column(&mut self, def: &ColumnDef, first_timestamp: &mut bool) -> Column {
        let ty = self.column_type(&def.ty);
        let mut column = Column {
            name: def.name.clone(),
            nullable: def.nullable.unwrap_or(!def.primary) && !def.auto_increment,
            default: def.default.as_deref().and_then(|d| self.default(d, &ty)),
            on_update: def.on_update.as_deref().and_then(default::now),
            generated: def.generated.clone(),
            auto_increment: def.auto_increment,
            invisible: def.invisible,
            comment: def.comment.clone(),
            attributes: def.attributes.clone(),
            ty,
        };
        self.implicit_timestamp(def, &mut column, first_timestamp);
        if self.flavor() == Flavor::MariaDb && def.ty.kind == TypeKind::Json {
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
        if def.unique {
            self.column_key(KeyKind::Unique, UNNAMED, &def.name);
        }
        if let Some(reference) = &def.references {
            self.inline_reference(reference, &def.name);
        }
        if !self.shown || never_prints_null(&column) {
            settle_default(&mut column);
        }
        column
    }

    /// A default in its canonical spelling.
    pub fn default(&self, text: &str, ty: &ColumnType) -> Option<String> {
        let flavor = self.flavor();
        let default = default::canonical(text, ty, self.mode);
        if flavor == Flavor::MariaDb {
            return Some(default::without_parens(default, ty, self.mode));
        }
        // Without strict mode MySQL takes an empty default of a text with a warning, and drops it.
        let dropped =
            flavor == Flavor::MySql && is_blob(ty.kind) && !self.shown && !default.starts_with('(');
        (!dropped || default == "NULL").then_some(default)
    }

    fn column_key(&mut self, kind: KeyKind, name: &str, column: &str) {
        let part = KeyPart::Column { name: column.to_owned(), prefix: None, descending: false };
        self.keys.push(Key::new(name, kind, vec![part]));
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

    /// Without `explicit_defaults_for_timestamp` a TIMESTAMP is NOT NULL unless it says NULL; the
    /// first one follows the clock, the others begin at zero.
    fn implicit_timestamp(&self, def: &ColumnDef, column: &mut Column, first: &mut bool) {
        if column.ty.kind != TypeKind::Timestamp || self.defaults.explicit_defaults_for_timestamp {
            return;
        }
        let plain = def.default.is_none() && def.on_update.is_none() && def.generated.is_none();
        if def.nullable != Some(true) {
            column.nullable = false;
            if plain && *first {
                let now = default_now(column.ty.decimals);
                column.default = Some(now.clone());
                column.on_update = Some(now);
            } else if def.default.is_none() && def.generated.is_none() {
                column.default = Some(default::canonical("0", &column.ty, self.mode));
            }
        }
        *first = false;
    }

    /// A type with its length, character set and collation filled in.
    pub fn column_type(&self, spec: &TypeSpec) -> ColumnType {
        let mut ty = ColumnType::new(spec.kind);
        ty.length = spec.length.map(|l| u32::try_from(l).unwrap_or(u32::MAX));
        ty.decimals = spec.decimals;
        ty.unsigned = spec.unsigned;
        ty.zerofill = spec.zerofill;
        ty.labels.clone_from(&spec.labels);
        ty.srid = spec.srid;
        ty.compressed = spec.compressed;
        if spec.kind == TypeKind::Json && self.flavor() == Flavor::MariaDb {
            ty.kind = TypeKind::LongText;
            (ty.charset, ty.collation) = ("utf8mb4".to_owned(), "utf8mb4_bin".to_owned());
            return ty;
        }
        if is_text(ty.kind) {
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
            ty.kind = text_for(bytes, TypeKind::TinyText);
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
            on_delete: def.on_delete.clone(),
            on_update: def.on_update.clone(),
        });
        if self.shown {
            return;
        }
        let part =
            |c: &String| KeyPart::Column { name: c.clone(), prefix: None, descending: false };
        let name = def.name.as_ref().or(def.index_name.as_ref());
        let name = name.map_or(UNNAMED, String::as_str);
        let mut key = Key::new(name, KeyKind::Plain, def.columns.iter().map(part).collect());
        key.generated = true;
        self.keys.push(key);
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
fn is_blob(kind: TypeKind) -> bool {
    use TypeKind as T;
    matches!(
        kind,
        T::TinyText
            | T::Text
            | T::MediumText
            | T::LongText
            | T::TinyBlob
            | T::Blob
            | T::MediumBlob
            | T::LongBlob
            | T::Json
            | T::Geometry
            | T::Point
            | T::LineString
            | T::Polygon
            | T::MultiPoint
            | T::MultiLineString
            | T::MultiPolygon
            | T::GeometryCollection
            | T::Vector
    )
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

/// True for types that have a character set.
pub(super) fn is_text(kind: TypeKind) -> bool {
    use TypeKind as T;
    matches!(
        kind,
        T::Char
            | T::VarChar
            | T::TinyText
            | T::Text
            | T::MediumText
            | T::LongText
            | T::Enum
            | T::Set
    )
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
            ty.kind = binary_kind(text_for(u64::from(ty.length.unwrap_or(0)), T::TinyText));
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

/// Names what has no name, makes primary-key columns NOT NULL, drops keys that servers made for
/// foreign keys and that another key makes superfluous, and sorts.
pub(super) fn settle_keys(table: &mut TableSchema) {
    let primary: Vec<String> = table.primary_key().into_iter().flat_map(key_columns).collect();
    for column in &mut table.columns {
        if primary.iter().any(|p| same_name(p, &column.name)) {
            column.nullable = false;
            settle_default(column);
        }
    }
    settle_prefixes(table);
    drop_superfluous(&mut table.keys);
    for at in 0..table.keys.len() {
        let (before, rest) = table.keys.split_at_mut(at);
        if let Some(key) = rest.first_mut().filter(|k| k.name.is_empty()) {
            key.name = made_up_name(key, before);
        }
    }
    let mut keys = std::mem::take(&mut table.keys);
    keys.sort_by_key(|k| key_rank(k, table));
    table.keys = keys;
}

fn key_columns(key: &Key) -> Vec<String> {
    key.parts.iter().filter_map(|p| p.column().map(str::to_owned)).collect()
}

/// Primary, unique without NULL, unique, the others, full text.
fn key_rank(key: &Key, table: &TableSchema) -> (u8, bool, bool) {
    let nullable = |part: &KeyPart| match part.column() {
        Some(name) => table.column(name).is_some_and(|(_, c)| c.nullable),
        None => true,
    };
    let prefix = |part: &KeyPart| matches!(part, KeyPart::Column { prefix: Some(_), .. });
    match key.kind {
        KeyKind::Primary => (0, false, false),
        KeyKind::Unique => (1, key.parts.iter().any(nullable), key.parts.iter().any(prefix)),
        KeyKind::Plain | KeyKind::Spatial | KeyKind::Vector => (2, false, false),
        KeyKind::FullText => (3, false, false),
    }
}

/// A prefix as long as its column is no prefix.
fn settle_prefixes(table: &mut TableSchema) {
    let columns = &table.columns;
    for part in table.keys.iter_mut().flat_map(|k| &mut k.parts) {
        let KeyPart::Column { name, prefix, .. } = part else { continue };
        let column = columns.iter().find(|c| same_name(&c.name, name));
        let Some(column) = column else { continue };
        // The server prints the column's own spelling.
        name.clone_from(&column.name);
        use TypeKind as T;
        let fixed = matches!(column.ty.kind, T::Char | T::VarChar | T::Binary | T::VarBinary);
        if fixed && prefix.is_some() && *prefix >= column.ty.length {
            *prefix = None;
        }
    }
}

/// A part of a key that is not unique and is too long for InnoDB is cut with a warning: to 3072
/// bytes, or 767 for the row formats that were the default before MySQL 5.7 and MariaDB 10.2.
pub(super) fn cut_prefixes(table: &mut TableSchema, server: crate::ddl::ServerVersion) {
    let small = match server.flavor {
        Flavor::MySql => server.number < 50_700,
        Flavor::MariaDb => server.number < 100_200,
        Flavor::TiDb => return,
    };
    let most = if small { 767 } else { 3072 };
    let columns = &table.columns;
    let plain = table.keys.iter_mut().filter(|k| k.kind == KeyKind::Plain);
    for part in plain.flat_map(|k| &mut k.parts) {
        let KeyPart::Column { name, prefix, .. } = part else { continue };
        let Some(column) = columns.iter().find(|c| same_name(&c.name, name)) else { continue };
        use TypeKind as T;
        let width = match column.ty.kind {
            T::Char | T::VarChar | T::Binary | T::VarBinary => prefix.or(column.ty.length),
            _ => *prefix,
        };
        let per_character = charset::max_bytes(&column.ty.charset);
        if width.is_some_and(|w| u64::from(w) * per_character > most) {
            *prefix = u32::try_from(most / per_character).ok();
        }
    }
}

/// Drops generated keys whose columns another key begins with.
fn drop_superfluous(keys: &mut Vec<Key>) {
    let mut at = 0;
    while at < keys.len() {
        let superfluous = keys.get(at).is_some_and(|key| {
            key.generated
                && keys.iter().enumerate().any(|(n, other)| n != at && serves(key, other, n < at))
        });
        if superfluous {
            keys.remove(at);
        } else {
            at += 1;
        }
    }
}

/// True when `other` makes the generated `key` superfluous; of two generated ones over the same
/// columns the earlier stays.
fn serves(key: &Key, other: &Key, earlier: bool) -> bool {
    if matches!(other.kind, KeyKind::FullText | KeyKind::Spatial | KeyKind::Vector) {
        return false;
    }
    if other.generated && other.parts.len() == key.parts.len() && !earlier {
        return false;
    }
    key.parts.len() <= other.parts.len()
        && key.parts.iter().zip(&other.parts).all(|(a, b)| match (a, b) {
            (KeyPart::Column { name: a, .. }, KeyPart::Column { name: b, prefix: None, .. }) => {
                same_name(a, b)
            }
            _ => false,
        })
}

/// `c`, `c_2`, `c_3` for a key over column `c`; `functional_index` and so on for expressions.
fn made_up_name(key: &Key, before: &[Key]) -> String {
    let functional = key.parts.iter().any(|p| p.column().is_none());
    let base = match key.parts.first().and_then(KeyPart::column) {
        Some(column) if !functional => column,
        _ => "functional_index",
    };
    let taken = |name: &str| before.iter().any(|k| same_name(&k.name, name));
    if !taken(base) && !base.eq_ignore_ascii_case("PRIMARY") {
        return base.to_owned();
    }
    let mut n = 2;
    loop {
        let name = format!("{base}_{n}");
        if !taken(&name) {
            return name;
        }
        n += 1;
    }
}

/// The number behind `<prefix>` in a name, 0 when it has another form.
fn number_of(name: &str, prefix: &str) -> u32 {
    let head = name.get(..prefix.len()).filter(|h| h.eq_ignore_ascii_case(prefix));
    head.and_then(|_| name.get(prefix.len()..)).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn name_foreign_keys(have: &mut Vec<ForeignKey>, added: Vec<ForeignKey>, table: &str) {
    let prefix = format!("{table}_ibfk_");
    let mut last = have.iter().map(|k| number_of(&k.name, &prefix)).max().unwrap_or(0);
    for mut key in added {
        if key.name.is_empty() {
            last += 1;
            key.name = format!("{prefix}{last}");
        }
        have.push(key);
    }
}

fn name_checks(have: &mut Vec<Check>, added: Vec<Check>, table: &str, flavor: Flavor) {
    let prefix = match flavor {
        Flavor::MariaDb => "CONSTRAINT_".to_owned(),
        _ => format!("{table}_chk_"),
    };
    let mut last = have.iter().map(|k| number_of(&k.name, &prefix)).max().unwrap_or(0);
    for mut check in added {
        if check.name.is_empty() && check.column.is_none() {
            last += 1;
            check.name = format!("{prefix}{last}");
        }
        have.push(check);
    }
}

/// The primary key that MySQL adds when `sql_generate_invisible_primary_key` is on.
fn add_invisible_key(table: &mut TableSchema) {
    let mut column = Column::new("my_row_id", ColumnType::new(TypeKind::BigInt));
    column.ty.unsigned = true;
    column.nullable = false;
    column.default = None;
    column.auto_increment = true;
    column.invisible = true;
    table.columns.insert(0, column);
    let part = KeyPart::Column { name: "my_row_id".to_owned(), prefix: None, descending: false };
    table.keys.insert(0, Key::new("PRIMARY", KeyKind::Primary, vec![part]));
}
