//! Talking to servers of MySQL's family: connections, versions, errors.
//!
//! Both ends use it: the MySQL source reads with it, the MySQL sink writes with it. It is the only
//! place that knows how the client crate is set up and how its errors read, and none of that
//! crate's types leave this library.

mod annotate;
mod connect;
mod error;
mod shown;
mod tls;
mod version;
mod zone;

pub use tls::{TlsServer, TlsStream};
pub use version::{ServerKind, ServerVersion};

pub(crate) use annotate::Annotate;
pub(crate) use connect::{Connection, Purpose, cell, named_cell, opt_cell};
pub(crate) use error::{is_access_denied, is_lock_timeout, numbers, translate};
pub(crate) use shown::shown;
pub(crate) use zone::{offset_question, zone_of_offset};
