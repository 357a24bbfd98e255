//! QUERY events: a statement and the session it ran in.

use std::borrow::Cow;

use super::bytes::Bytes;
use super::charset;
use super::literals::{Spoken, by_bytes};
use super::{Error, EventHeader, Result, codes, compressed, malformed};
use crate::ddl::{Flavor, ServerVersion, SqlMode};

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryEvent<'a> {
    /// Connection id at the server that wrote it first; temporary tables belong to it.
    pub thread_id: u32,
    /// Seconds that it ran.
    pub exec_seconds: u32,
    /// The error that it ended with, 0 for none.
    pub error_code: u16,
    /// Default schema; empty without one.
    pub schema: Cow<'a, str>,
    /// The statement in the character set of its client.
    pub sql: Cow<'a, [u8]>,
    /// The session it ran in.
    pub vars: QueryVars,
    /// It depends on its connection: it names a temporary table, or asks for the connection's number.
    pub of_its_thread: bool,
}

impl<'a> QueryEvent<'a> {
    /// A statement of which nothing else is known.
    pub fn of(schema: impl Into<Cow<'a, str>>, sql: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            thread_id: 0,
            exec_seconds: 0,
            error_code: 0,
            schema: schema.into(),
            sql: sql.into(),
            vars: QueryVars::default(),
            of_its_thread: false,
        }
    }

    /// With what the header of its event says.
    pub(crate) fn with(self, header: &EventHeader) -> Self {
        Self { of_its_thread: header.flags & EventHeader::FLAG_THREAD_SPECIFIC != 0, ..self }
    }
}

/// What the server recorded of a statement's session. Absent values were not recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryVars {
    /// OPTION_* bits: auto_is_null, not_autocommit, foreign_key_checks off, unique_checks off.
    pub flags2: Option<u32>,
    /// sql_mode as its bits.
    pub sql_mode: Option<u64>,
    /// auto_increment_increment and auto_increment_offset.
    pub auto_increment: Option<(u16, u16)>,
    /// Collation numbers of the session.
    pub charset: Option<SessionCharset>,
    /// time_zone.
    pub time_zone: Option<String>,
    /// Number of lc_time_names.
    pub lc_time_names: Option<u16>,
    /// collation_database.
    pub charset_database: Option<u16>,
    /// Tables of a multi-table update as bits.
    pub table_map_for_update: Option<u64>,
    /// DEFINER of the statement, as (user, host).
    pub invoker: Option<(String, String)>,
    /// Schemas that the statement touched; `None` also when there were too many.
    pub updated_schemas: Option<Vec<String>>,
    /// Fraction of the statement's time stamp, microseconds.
    pub microseconds: Option<u32>,
    /// explicit_defaults_for_timestamp.
    pub explicit_defaults_for_timestamp: Option<bool>,
    /// Number of an atomic DDL's transaction.
    pub ddl_xid: Option<u64>,
    /// default_collation_for_utf8mb4.
    pub default_collation_for_utf8mb4: Option<u16>,
    /// sql_require_primary_key.
    pub sql_require_primary_key: Option<bool>,
    /// default_table_encryption.
    pub default_table_encryption: Option<bool>,
}

/// Collation numbers of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCharset {
    /// character_set_client: what the statement's text is in.
    pub client: u16,
    /// collation_connection: what its literals are in.
    pub connection: u16,
    /// collation_server.
    pub server: u16,
}

impl QueryVars {
    /// OPTION_NO_FOREIGN_KEY_CHECKS in `flags2`.
    pub const NO_FOREIGN_KEY_CHECKS: u32 = 1 << 26;
    /// OPTION_RELAXED_UNIQUE_CHECKS in `flags2`.
    pub const RELAXED_UNIQUE_CHECKS: u32 = 1 << 27;

    /// OPTION_EXPLICIT_DEF_TIMESTAMP of MariaDB in `flags2`, from 10.10 on; earlier servers leave it out.
    pub const EXPLICIT_DEFAULTS: u32 = 1 << 24;

    /// explicit_defaults_for_timestamp of the session, where a server of this version records it.
    pub fn explicit_defaults(&self, server: ServerVersion) -> Option<bool> {
        match server.at_least(Flavor::MariaDb, 101_000) {
            true => self.flags2.map(|flags| flags & Self::EXPLICIT_DEFAULTS != 0),
            false => self.explicit_defaults_for_timestamp,
        }
    }

    /// False when the statement ran with foreign_key_checks off.
    pub fn foreign_key_checks(&self) -> bool {
        self.flags2.unwrap_or(0) & Self::NO_FOREIGN_KEY_CHECKS == 0
    }
}

impl<'a> QueryEvent<'a> {
    pub(crate) fn parse(body: &'a [u8], compressed: bool) -> Result<Self> {
        Self::parse_after(Bytes(body), 0, compressed)
    }

    /// Reads a query whose fixed part is followed by `extra` bytes of another event.
    pub(crate) fn parse_after(mut b: Bytes<'a>, extra: usize, compressed: bool) -> Result<Self> {
        let (thread_id, exec_seconds) = (b.u32()?, b.u32()?);
        let schema_length = usize::from(b.u8()?);
        let error_code = b.u16()?;
        let vars_length = usize::from(b.u16()?);
        b.take(extra)?;
        let vars = QueryVars::parse(b.take(vars_length)?);
        let schema = String::from_utf8_lossy(b.take(schema_length)?);
        if b.u8()? != 0 {
            return Err(malformed("no zero byte after the schema of a query"));
        }
        let sql = match compressed {
            false => Cow::Borrowed(b.rest()),
            true => Cow::Owned(compressed::inflate(b.rest())?),
        };
        Ok(Self { thread_id, exec_seconds, error_code, schema, sql, vars, of_its_thread: false })
    }

    /// The statement as UTF-8, converted from the character set of its client.
    pub fn text(&self) -> Result<Cow<'_, str>> {
        if self.sql.is_ascii() {
            // Clients cannot use the character sets in which these bytes mean something else.
            return Ok(String::from_utf8_lossy(&self.sql));
        }
        let set = |id: Option<u16>| id.and_then(charset::by_id).map_or("utf8mb4", |c| c.charset);
        let of = |id: fn(SessionCharset) -> u16| set(self.vars.charset.map(id));
        let spoken = Spoken { client: of(|c| c.client), connection: of(|c| c.connection) };
        let invalid = || {
            let start: String = String::from_utf8_lossy(&self.sql).chars().take(200).collect();
            Error::new(
                &codes::BINLOG_STATEMENT_TEXT,
                format!("a statement is not valid {}: {start}", spoken.client),
            )
        };
        let text = charset::statement_to_utf8(spoken.client, &self.sql).ok_or_else(invalid)?;
        if spoken.is_utf8() {
            return Ok(text);
        }
        let mode = SqlMode::from_bits(self.vars.sql_mode.unwrap_or(0));
        by_bytes(&text, spoken, mode).map(Cow::Owned).ok_or_else(invalid)
    }

    /// True when the statement is these ASCII words, without regard to case and outer space.
    pub fn is(&self, words: &str) -> bool {
        self.sql.trim_ascii().eq_ignore_ascii_case(words.as_bytes())
    }

    /// The same event, owning its data.
    pub fn into_owned(self) -> QueryEvent<'static> {
        QueryEvent {
            schema: Cow::Owned(self.schema.into_owned()),
            sql: Cow::Owned(self.sql.into_owned()),
            ..self
        }
    }
}

impl QueryVars {
    /// Reads variables until the first unknown one: their order is that of the codes' invention,
    /// so what follows an unknown one is newer still.
    fn parse(bytes: &[u8]) -> Self {
        let mut vars = Self::default();
        let mut b = Bytes(bytes);
        while !b.is_empty() {
            match vars.parse_one(&mut b) {
                Ok(true) => {}
                Ok(false) | Err(_) => break,
            }
        }
        vars
    }

    fn parse_one(&mut self, b: &mut Bytes<'_>) -> Result<bool> {
        match b.u8()? {
            0 => self.flags2 = Some(b.u32()?),
            1 => self.sql_mode = Some(b.u64()?),
            // The catalog's name, `std` everywhere; in its old form a zero byte follows.
            2 => {
                skip_text(b)?;
                b.u8()?;
            }
            3 => self.auto_increment = Some((b.u16()?, b.u16()?)),
            4 => {
                let (client, connection, server) = (b.u16()?, b.u16()?, b.u16()?);
                self.charset = Some(SessionCharset { client, connection, server });
            }
            5 => self.time_zone = Some(short_text(b)?),
            6 => skip_text(b)?,
            7 => self.lc_time_names = Some(b.u16()?),
            8 => self.charset_database = Some(b.u16()?),
            9 => self.table_map_for_update = Some(b.u64()?),
            10 => drop(b.u32()?),
            11 => self.invoker = Some((short_text(b)?, short_text(b)?)),
            12 => self.updated_schemas = updated_schemas(b)?,
            13 | 128 => self.microseconds = Some(b.uint_le(3)? as u32),
            16 => self.explicit_defaults_for_timestamp = Some(b.u8()? != 0),
            17 | 129 => self.ddl_xid = Some(b.u64()?),
            18 => self.default_collation_for_utf8mb4 = Some(b.u16()?),
            19 => self.sql_require_primary_key = Some(b.u8()? != 0),
            20 => self.default_table_encryption = Some(b.u8()? != 0),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn skip_text(b: &mut Bytes<'_>) -> Result {
    let length = usize::from(b.u8()?);
    b.take(length).map(drop)
}

fn short_text(b: &mut Bytes<'_>) -> Result<String> {
    let length = usize::from(b.u8()?);
    Ok(String::from_utf8_lossy(b.take(length)?).into_owned())
}

/// A count and that many names; 254 stands for "too many to list".
fn updated_schemas(b: &mut Bytes<'_>) -> Result<Option<Vec<String>>> {
    let count = b.u8()?;
    if count == 254 {
        return Ok(None);
    }
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(String::from_utf8_lossy(b.until_zero()?).into_owned());
    }
    Ok(Some(names))
}
