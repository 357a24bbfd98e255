//! The binlog format, version 4, of MySQL and MariaDB: bytes in, events and rows out.
//!
//! Pure apart from the reader that files come through. Nothing here trusts a length: every read is
//! checked, memory grows only with bytes that are really there, nesting is limited. What cannot be
//! decoded exactly is an error with a position in words; no value is ever guessed or rounded.
//!
//! - [`FileReader`] cuts a file into events; a network client hands single events over instead.
//! - [`Decoder`] checks an event's checksum and says what it is. It remembers the format of the
//!   file and the tables that rows events refer to by number.
//! - [`RowsEvent`] keeps rows as bytes with a shared [`TableMap`], so that any thread can decode
//!   them later, or nobody when the table is not wanted.
//! - [`DecodePlan`] is compiled once per version of a table from what the binlog says
//!   ([`TableMap`]) and what is known of the table ([`TableSchema`](crate::schema::TableSchema)).
//!   The binlog alone often does not know whether a number is unsigned, which character set a text
//!   has, or a column's name; the schema alone may be that of another moment. Where both speak
//!   they have to agree: a mismatch is an error, not a guess.
//!
//! Why not the client crate's decoder: it has wrong values (24-bit integers, the year 0000, JSON
//! decimals), none of MariaDB's events, and allocates per cell.

mod bytes;
pub mod charset;
mod checksum;
mod compressed;
mod decoder;
mod event;
mod frame;
mod gtid_event;
mod header;
mod hidden;
mod images;
mod json;
mod literals;
mod op;
mod optional;
mod payload;
mod plan;
mod query;
#[cfg(test)]
pub(crate) mod raw;
mod rows;
mod stored;
mod table_map;
mod value;
mod versioning;

pub(crate) use checksum::CHECKSUM_LEN;
pub use checksum::Checksum;
pub use decoder::Decoder;
pub use event::{
    AlterHalf, Event, EventBody, FormatDescription, GtidEvent, Heartbeat, Incident,
    MariaDbGtidEvent, Rotate, XaPrepare, Xid,
};
pub use frame::{FileReader, Framed, MAGIC};
pub use header::{EventHeader, EventType, HEADER_LEN, MAX_EVENT_LEN};
pub use hidden::{HiddenColumn, HiddenKind};
pub use images::RawImage;
pub use json::json_text;
pub use payload::{PayloadEvents, TransactionPayload};
pub use plan::DecodePlan;
pub use query::{QueryEvent, QueryVars, SessionCharset};
pub use rows::{Rows, RowsEvent};
pub use table_map::{ColumnMeta, TableMap, Wire};
pub use versioning::SystemVersioning;

use crate::error::{Error, Result, codes};

/// An event whose bytes do not make sense.
fn malformed(what: impl Into<String>) -> Error {
    Error::new(&codes::SYNC_EVENT, what)
}

#[cfg(test)]
mod tests;
