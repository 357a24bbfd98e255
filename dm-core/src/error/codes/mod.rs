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

mod binlog;
mod binlog_op;
mod config;
mod database;
mod functional;
mod schema;
mod source;
mod sync;

pub use binlog::*;
pub use binlog_op::*;
pub use config::*;
pub use database::*;
pub use functional::*;
pub use schema::*;
pub use source::*;
pub use sync::*;

/// Every code, in the order of numbers.
pub fn all() -> Vec<&'static crate::error::Code> {
    let classes = [
        binlog::ALL,
        binlog_op::ALL,
        config::ALL,
        database::ALL,
        functional::ALL,
        schema::ALL,
        source::ALL,
        sync::ALL,
    ];
    let mut all: Vec<_> = classes.into_iter().flatten().copied().collect();
    all.sort_by_key(|c| c.number);
    all
}
