//! What TIMESTAMP columns, and those that follow the clock, begin with when nobody says it.
use super::Builder;
use crate::ddl::{ColumnDef, Flavor, ServerVersion, SqlMode};
use crate::schema::charset::Defaults;
use crate::schema::default;
use crate::schema::table::{Column, TableSchema, TypeKind};

impl Builder<'_> {
    /// Without `explicit_defaults_for_timestamp` a TIMESTAMP is NOT NULL unless it says NULL, and
    /// begins at zero.
    pub(super) fn implicit_timestamp(&mut self, def: &ColumnDef, column: &mut Column) {
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
    pub(super) fn promote_timestamp(&self, table: &mut TableSchema) {
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
}
/// Columns that begin at zero when the primary key takes NULL from them: in MariaDB those that follow the clock, and
/// TIMESTAMP without `explicit_defaults_for_timestamp`.
pub(super) fn first_moments(table: &TableSchema, defaults: &Defaults) -> Vec<String> {
    if defaults.server.flavor != Flavor::MariaDb {
        return Vec::new();
    }
    let implicit = !defaults.explicit_defaults_for_timestamp;
    let begins =
        |c: &&Column| c.on_update.is_some() || (implicit && c.ty.kind == TypeKind::Timestamp);
    let columns = table.columns.iter().filter(|c| c.nullable && c.generated.is_none());
    columns.filter(begins).map(|c| c.name.clone()).collect()
}

pub(super) fn begin_at_zero(table: &mut TableSchema, names: &[String]) {
    let server = ServerVersion::default();
    for column in &mut table.columns {
        if !column.nullable && column.default.is_none() && names.contains(&column.name) {
            let zero = default::canonical("0", &column.ty, SqlMode::default(), server);
            column.default = Some(zero);
        }
    }
}

fn default_now(decimals: Option<u32>) -> String {
    match decimals.unwrap_or(0) {
        0 => "CURRENT_TIMESTAMP".to_owned(),
        n => format!("CURRENT_TIMESTAMP({n})"),
    }
}
