//! Maps the tables of a migration's sources to tables of its target.

mod router;

pub use router::{ColumnChoice, ExtraColumn, RouteError, Router, Target, Unrouted};
