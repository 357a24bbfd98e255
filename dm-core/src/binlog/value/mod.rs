//! How single values are written.

pub(crate) mod decimal;
pub(crate) mod network;
pub(crate) mod temporal;
