//! Where there are no local sockets that files stand for, there are no encrypted connections.

use crate::config::ConnPlan;
use crate::error::{Error, Result, codes};
use crate::mysql::Purpose;

/// A relay, which cannot be had here.
pub(in crate::mysql) enum Relay {}

impl Relay {
    /// # Errors
    ///
    /// The plan asks for an encrypted connection.
    pub(in crate::mysql) fn start(plan: &ConnPlan, purpose: Purpose) -> Result<Option<Self>> {
        match &plan.tls {
            None => Ok(None),
            Some(tls) => {
                super::client_config(tls)?;
                let why = "encrypted connections need a system with local sockets";
                Err(Error::new(&codes::TLS_CONFIG, why).scope(purpose.scope()))
            }
        }
    }

    /// Never called.
    pub(in crate::mysql) fn path(&self) -> &str {
        match *self {}
    }

    /// Never called.
    pub(in crate::mysql) fn failure(&self) -> Option<Error> {
        match *self {}
    }
}
