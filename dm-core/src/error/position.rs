//! What is wrong with a position, with its code.

use super::{Error, codes};
use crate::position::PositionError;

impl From<PositionError> for Error {
    fn from(error: PositionError) -> Self {
        let code = match &error {
            PositionError::Flavor(_) => &codes::FLAVOR_UNKNOWN,
            PositionError::FileName(_) => &codes::BINLOG_FILE_NAME,
            PositionError::Pos(_) => &codes::BINLOG_TEXT,
            PositionError::Gtid { .. } | PositionError::Bytes(_) | PositionError::Mixed { .. } => {
                &codes::GTID_PARSE
            }
        };
        Self::new(code, error.to_string())
    }
}
