//! The table of codes, a file per class.
//!
//! Numbers are DM's where the meaning is DM's, so that what people know and what they find by
//! searching stays true. Codes of things that a single host does not have (leader election,
//! workers, etcd) are left out; their numbers are not given to anything else.

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

macro_rules! files {
    ($($file:ident),+ $(,)?) => {
        $(mod $file; pub use $file::*;)+
        /// Every code, in the order of numbers.
        pub fn all() -> Vec<&'static crate::error::Code> {
            let mut all: Vec<_> = [$($file::ALL),+].into_iter().flatten().copied().collect();
            all.sort_by_key(|c| c.number);
            all
        }
    };
}

files!(
    apply, binlog, check, checkpoint, config, database, decode, dump, functional, load, operate,
    operator, other, relay, schema, source, state, sync, target, task, validator,
);

#[cfg(test)]
mod tests;
