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
mod config;
mod database;
<<<<<<< HEAD
mod functional;
mod source;
=======
mod schema;
>>>>>>> ddl
mod sync;

pub use binlog_op::*;
pub use config::*;
pub use database::*;
<<<<<<< HEAD
pub use functional::*;
pub use source::*;
=======
pub use schema::*;
>>>>>>> ddl
pub use sync::*;

/// Every code, in the order of numbers.
pub fn all() -> Vec<&'static crate::error::Code> {
<<<<<<< HEAD
    let classes =
        [binlog_op::ALL, config::ALL, database::ALL, functional::ALL, source::ALL, sync::ALL];
    let mut all: Vec<_> = classes.into_iter().flatten().copied().collect();
=======
    let mut all: Vec<_> =
        [database::ALL, schema::ALL, sync::ALL].into_iter().flatten().copied().collect();
>>>>>>> ddl
    all.sort_by_key(|c| c.number);
    all
}
