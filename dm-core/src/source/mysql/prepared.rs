//! The XA transactions of a server that are prepared and wait for their decision.

use crate::error::Result;
use crate::mysql::{Connection, named_cell};
use crate::source::Prepared;

/// What the server says; `None` when it does not tell this user (MySQL wants XA_RECOVER_ADMIN).
pub(super) fn prepared(conn: &mut Connection) -> Result<Option<Prepared>> {
    let rows = match conn.rows("XA RECOVER") {
        Ok(rows) => rows,
        Err(e) if e.is_transient() => return Err(e),
        Err(e) => {
            log::debug!("prepared XA transactions cannot be seen: {e}");
            return Ok(None);
        }
    };
    let xids = rows
        .iter()
        .map(|row| {
            let part = |name: &str| named_cell(row, name).unwrap_or_default();
            // The data are both halves of the xid; where the first ends tells two of them apart.
            format!("{:?}/{}/{}", part("data"), part("gtrid_length"), part("formatID"))
        })
        .collect();
    let counts = conn.rows("SHOW GLOBAL STATUS LIKE 'Com_xa_prepare'")?;
    let count = counts.first().and_then(|row| named_cell(row, "Value"));
    Ok(Some(Prepared { xids, count: count.and_then(|n| n.parse().ok()).unwrap_or(0) }))
}
