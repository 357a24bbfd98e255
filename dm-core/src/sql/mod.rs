//! Text of SQL statements for MySQL-compatible targets. Pure.
//!
//! Guarantee: what is written here, read by a server in the sessions that this crate opens
//! (utf8mb4, time zone UTC, a fixed sql_mode without ANSI_QUOTES and NO_BACKSLASH_ESCAPES), gives
//! exactly the value that went in. Text in other character sets goes as a hexadecimal literal with
//! its introducer, so that the server converts it, or not at all when the column has the same set.

mod calendar;
mod literal;
mod quote;

pub use calendar::{civil_from_epoch, push_date, push_datetime, push_time, push_timestamp};
pub use literal::{push_cell, push_json, push_number, push_value};
pub use quote::{
    push_hex, push_ident, push_string, push_table, quote_ident, quote_table, quote_text,
};
