//! JSON of MySQL: from its binary form to the text that the server prints.
//!
//! The text is the server's to the last character (order of keys as stored, `, ` and `: `, its
//! own way to print a double), so that both sides compare equal. Places that hold an SQL type
//! which the text cannot say are listed beside it (not: whether a small number was signed, for
//! equal numbers of both kinds compare and print the same). Partial updates are applied to the binary form
//! of the document before, of which only what lies on their paths is taken apart.
//!
//! A document comes from elsewhere: nesting is limited, and since parts are found by offsets,
//! which a broken document may let point anywhere, each byte may be paid for only once.

mod diff;
mod print;
mod scalar;
mod view;

use dm_filter::Json;

use super::{Error, Result, codes, malformed};
pub(crate) use diff::{JsonDiffs, apply};
use print::Printer;
use view::View;

/// Containers in containers; servers accept 100.
const MAX_DEPTH: usize = 128;

/// The text of a document in binary form. An empty one is `null`, as for the server.
pub fn json_text(document: &[u8]) -> Result<Json<'static>> {
    let mut printer = Printer::new(document.len());
    printer.view(&View::document(document)?)?;
    Ok(printer.finish())
}
