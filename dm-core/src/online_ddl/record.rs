//! What is kept of an online schema change between its statements.

use dm_filter::TableName;
use serde::{Deserialize, Serialize};

use crate::binlog::{QueryEvent, QueryVars, SessionCharset};
use crate::ddl::{ParseContext, ServerVersion, SqlMode, Statement, parse};
use crate::error::Result;

/// A statement that changed a ghost table, with the session that it ran in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its text, as written.
    pub sql: String,
    /// The default schema.
    pub schema: String,
    /// sql_mode as its bits.
    pub sql_mode: Option<u64>,
    /// time_zone.
    pub time_zone: Option<String>,
    /// Collation numbers of client, connection and server.
    pub charset: Option<(u16, u16, u16)>,
    /// explicit_defaults_for_timestamp, where MySQL records it.
    #[serde(default)]
    pub explicit_defaults: Option<bool>,
    /// The session's flags: MariaDB records it there.
    #[serde(default)]
    pub flags: Option<u32>,
    /// Number of default_collation_for_utf8mb4.
    #[serde(default)]
    pub utf8mb4_collation: Option<u16>,
    /// When it ran, seconds since the epoch.
    pub at: u32,
    /// The fraction of that second, where it counts.
    #[serde(default)]
    pub microseconds: Option<u32>,
    /// Where it stands in the binlog: what is read twice counts once.
    pub position: String,
    /// An event filter leaves it out: it will not run at the target, but the table has the
    /// structure that it made.
    pub filtered: bool,
}

impl Change {
    /// A statement as it stands in the binlog.
    pub fn new(text: &str, query: &QueryEvent<'_>, at: u32, position: String) -> Self {
        let vars = &query.vars;
        Self {
            sql: text.to_owned(),
            schema: query.schema.to_string(),
            sql_mode: vars.sql_mode,
            time_zone: vars.time_zone.clone(),
            charset: vars.charset.map(|c| (c.client, c.connection, c.server)),
            explicit_defaults: vars.explicit_defaults_for_timestamp,
            flags: vars.flags2,
            utf8mb4_collation: vars.default_collation_for_utf8mb4,
            at,
            microseconds: vars.microseconds,
            position,
            filtered: false,
        }
    }

    /// What its text is read with.
    pub fn context(&self, server: Option<ServerVersion>) -> ParseContext {
        ParseContext {
            sql_mode: SqlMode::from_bits(self.sql_mode.unwrap_or(0)),
            default_schema: self.schema.clone(),
            server,
        }
    }

    /// The event that it was, its text in UTF-8.
    pub fn query(&self) -> QueryEvent<'static> {
        let charset = self.charset.map(|(client, connection, server)| SessionCharset {
            client,
            connection,
            server,
        });
        QueryEvent {
            vars: QueryVars {
                sql_mode: self.sql_mode,
                time_zone: self.time_zone.clone(),
                charset,
                explicit_defaults_for_timestamp: self.explicit_defaults,
                flags2: self.flags,
                default_collation_for_utf8mb4: self.utf8mb4_collation,
                microseconds: self.microseconds,
                ..QueryVars::default()
            },
            ..QueryEvent::of(self.schema.clone(), self.sql.clone().into_bytes())
        }
    }

    /// The statement with `real` in the place of every name for which `is_ghost` holds.
    ///
    /// # Errors
    ///
    /// When the text cannot be read.
    pub fn on(
        &self,
        real: &TableName,
        server: Option<ServerVersion>,
        is_ghost: impl Fn(&TableName) -> bool,
    ) -> Result<Statement> {
        let context = self.context(server);
        let text =
            parse(&self.sql, &context)?.splice(|name| is_ghost(&name.name).then(|| real.clone()));
        parse(&text, &context)
    }
}

/// What is kept under a table's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// Of a ghost table.
    Ghost {
        /// Its beginning was seen: these are all of its statements.
        complete: bool,
        /// The statements that changed it.
        changes: Vec<Change>,
    },
    /// Of a real table that is gone at the source and still there at the target.
    Away {
        /// The name that it has at the source; `None` when it was dropped.
        trash: Option<(String, String)>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_columns_become_in_a_session_is_kept() {
        let vars = QueryVars {
            flags2: Some(1 << 24),
            sql_mode: Some(4),
            charset: Some(SessionCharset { client: 8, connection: 33, server: 255 }),
            time_zone: Some("+02:00".to_owned()),
            microseconds: Some(123_456),
            explicit_defaults_for_timestamp: Some(false),
            default_collation_for_utf8mb4: Some(45),
            ..QueryVars::default()
        };
        let sql = "ALTER TABLE _t_gho ADD COLUMN c VARCHAR(9) CHARACTER SET utf8mb4";
        let query = QueryEvent { vars, ..QueryEvent::of("shop", sql.as_bytes()) };
        let change = Change::new(sql, &query, 7, "1".to_owned());
        let saved = serde_json::to_string(&change).unwrap();
        let read: Change = serde_json::from_str(&saved).unwrap();
        assert_eq!(read, change);
        assert_eq!(read.query().vars, query.vars);
        // What an earlier version saved is read, too.
        let mut old: serde_json::Value = serde_json::from_str(&saved).unwrap();
        let fields = old.as_object_mut().unwrap();
        fields.remove("utf8mb4_collation").unwrap();
        fields.remove("microseconds").unwrap();
        let old: Change = serde_json::from_value(old).unwrap();
        assert_eq!(old, Change { utf8mb4_collation: None, microseconds: None, ..change });
    }
}
