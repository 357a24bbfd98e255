//! What is wrong with a position, with its code.

use super::{Error, codes};
use crate::position::PositionError;

impl From<PositionError> for Error {
    fn from(error: PositionError) -> Self {
        let code = match &error {
            PositionError::Flavor(_) => &codes::UNKNOWN_FLAVOR,
            PositionError::FileName(_) => &codes::BINLOG_NAME,
            PositionError::Pos(_) => &codes::BINLOG_POS_PARSE,
            PositionError::Gtid { .. } | PositionError::Bytes(_) | PositionError::Mixed { .. } => {
                &codes::GTID_SET_PARSE
            }
        };
        Self::new(code, error.to_string())
    }
}
