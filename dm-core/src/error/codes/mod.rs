//! The table of codes, a file per class.

macro_rules! codes {
    ($($(#[$doc:meta])* $id:ident = $number:literal $class:ident $scope:ident $level:ident
        $name:literal: $meaning:literal, $workaround:literal;)+) => {
        $(
            #[doc = $meaning]
            pub static $id: crate::error::Code = crate::error::Code {
                number: $number,
                name: $name,
                class: crate::error::Class::$class,
                scope: crate::error::Scope::$scope,
                level: crate::error::Level::$level,
                meaning: $meaning,
                workaround: $workaround,
            };
        )+
        pub(super) static ALL: &[&crate::error::Code] = &[$(&$id),+];
    };
}

mod binlog_op;
mod checkpoint;
mod database;
mod functional;
mod scheduler;
mod schema;
mod sync;

pub use binlog_op::*;
pub use checkpoint::*;
pub use database::*;
pub use functional::*;
pub use scheduler::*;
pub use schema::*;
pub use sync::*;

/// Every code, in the order of numbers.
pub fn all() -> Vec<&'static crate::error::Code> {
    let mut all: Vec<_> = [
        binlog_op::ALL,
        checkpoint::ALL,
        database::ALL,
        functional::ALL,
        scheduler::ALL,
        schema::ALL,
        sync::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect();
    all.sort_by_key(|c| c.number);
    all
}
