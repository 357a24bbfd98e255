//! Errors: one table of codes, one error type.
//!
//! Every failure that a user can see carries a code. Where DM has a code of the same meaning the
//! number is DM's. Whether something is tried again is decided by [`Error::is_transient`], which
//! is settled where the error is born (by kind or server error number), never by reading text.

mod code;
pub mod codes;
mod mysql;
mod position;

use std::fmt;

use dm_filter::TableName;

use crate::position::BinlogPos;

pub use code::{Class, Code, Level, Scope};
pub use mysql::{During, ServerError, is_transient_number, needs_person_number, server_error};

/// The result of everything in this crate that can fail.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// So much of a statement is told.
const ORIGIN_CHARS: usize = 4_000;

/// A failure with its code, what happened, why, and what to do.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: &'static Code,
    scope: Scope,
    message: String,
    cause: Option<String>,
    workaround: Option<String>,
    transient: bool,
    server: Option<u16>,
    start: Option<String>,
    end: Option<String>,
    origin: Option<String>,
    spoken_of: Option<(BinlogPos, BinlogPos)>,
    rows: Option<BinlogPos>,
    lacking: Option<(TableName, Vec<String>)>,
}

impl Error {
    /// An error that will come again when the same thing is tried again.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            scope: code.scope,
            message: message.into(),
            cause: None,
            workaround: None,
            transient: false,
            server: None,
            start: None,
            end: None,
            origin: None,
            spoken_of: None,
            rows: None,
            lacking: None,
        }))
    }

    /// Marks the error as one of the world (network, server restart, lock): worth another try.
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.0.transient = true;
        self
    }

    /// Says which side it happened on.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.0.scope = scope;
        self
    }

    /// The text of the underlying failure.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// The number that a server gave its error.
    #[must_use]
    pub fn server_number(mut self, number: u16) -> Self {
        self.0.server = Some(number);
        self
    }

    /// What the operator can do; replaces the code's general advice.
    #[must_use]
    pub fn workaround(mut self, text: impl Into<String>) -> Self {
        self.0.workaround = Some(text.into());
        self
    }

    /// Where in the binlog it happened, as text that `handle-error -b` takes.
    #[must_use]
    pub fn at(mut self, start: impl fmt::Display, end: impl fmt::Display) -> Self {
        self.0.start = Some(start.to_string());
        self.0.end = Some(end.to_string());
        self
    }

    /// Says where the statement begins and ends that it happened at: an operator may say what is to
    /// happen instead of it.
    #[must_use]
    pub fn at_statement(mut self, start: &BinlogPos, end: &BinlogPos) -> Self {
        self.0.spoken_of = Some((start.clone(), end.clone()));
        self
    }

    /// Says where the rows begin that it happened at: an operator may have statements run before them.
    #[must_use]
    pub fn at_rows(mut self, start: &BinlogPos) -> Self {
        self.0.rows.get_or_insert_with(|| start.clone());
        self
    }

    /// Says which columns of a source's table its target lacks: whoever knows these tells how to add them.
    #[must_use]
    pub(crate) fn lacks(mut self, table: TableName, columns: Vec<String>) -> Self {
        self.0.lacking = Some((table, columns));
        self
    }

    /// A source's table, and which of its columns the target lacks.
    pub(crate) fn lacking(&self) -> Option<(&TableName, &[String])> {
        self.0.lacking.as_ref().map(|(table, columns)| (table, columns.as_slice()))
    }

    /// Puts words behind the message.
    #[must_use]
    pub fn and(mut self, words: impl fmt::Display) -> Self {
        self.0.message = format!("{}; {words}", self.0.message);
        self
    }

    /// Puts words before the message.
    #[must_use]
    pub fn context(mut self, words: impl fmt::Display) -> Self {
        self.0.message = format!("{words}: {}", self.0.message);
        self
    }

    /// The entry of the table of codes.
    pub fn code(&self) -> &'static Code {
        self.0.code
    }

    /// The side it happened on.
    pub fn error_scope(&self) -> Scope {
        self.0.scope
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The text of the underlying failure, if there is one.
    pub fn raw_cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// What to do about it; empty when nothing general can be said.
    pub fn advice(&self) -> &str {
        self.0.workaround.as_deref().unwrap_or(self.0.code.workaround)
    }

    /// True when the same thing may succeed if tried again.
    pub fn is_transient(&self) -> bool {
        self.0.transient
    }

    /// The server's own error number, when a server answered with one.
    pub fn server_error(&self) -> Option<u16> {
        self.0.server
    }

    /// The source's statement that it happened at, as it was written there.
    #[must_use]
    pub fn origin(mut self, sql: &str) -> Self {
        self.0.origin.get_or_insert_with(|| match sql.char_indices().nth(ORIGIN_CHARS) {
            Some((end, _)) => format!("{} ...", sql.get(..end).unwrap_or_default()),
            None => sql.to_owned(),
        });
        self
    }

    /// Where it happened, in DM's words: locations and statement; empty when that is not known.
    pub fn place(&self) -> String {
        let Some((start, end)) = self.location() else { return String::new() };
        let origin = match &self.0.origin {
            Some(sql) => format!(", origin SQL: [{sql}]"),
            None => String::new(),
        };
        format!("startLocation: [{start}], endLocation: [{end}]{origin}: ")
    }

    /// Start and end location of the binlog event it happened at.
    pub fn location(&self) -> Option<(&str, &str)> {
        Some((self.0.start.as_deref()?, self.0.end.as_deref()?))
    }

    /// Beginning and end of the statement it happened at, when an operator may speak of it.
    pub fn statement_place(&self) -> Option<(&BinlogPos, &BinlogPos)> {
        self.0.spoken_of.as_ref().map(|(start, end)| (start, end))
    }

    /// Where the rows begin that it happened at.
    pub fn rows_place(&self) -> Option<&BinlogPos> {
        self.0.rows.as_ref()
    }

    /// The statement of the source it happened at, shortened.
    pub fn statement(&self) -> Option<&str> {
        self.0.origin.as_deref()
    }
}

impl fmt::Display for Error {
    /// DM's format: `[code=N:class=C:scope=S:level=L], Message: m, RawCause: r, Workaround: w`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.0.code;
        write!(
            f,
            "[code={}:class={}:scope={}:level={}], Message: ",
            code.number, code.class, self.0.scope, code.level
        )?;
        f.write_str(&self.place())?;
        f.write_str(&self.0.message)?;
        if let Some(cause) = &self.0.cause {
            write!(f, ", RawCause: {cause}")?;
        }
        if !self.advice().is_empty() {
            write!(f, ", Workaround: {}", self.advice())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
