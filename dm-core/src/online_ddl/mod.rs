//! Online schema change tools: what the statements of gh-ost and pt-online-schema-change mean.
//!
//! Such a tool makes a *ghost* table in the shape of the real one, changes the ghost, fills it, and
//! at last renames: the real table gets a *trash* name, the ghost gets the real one. What a
//! migration has to do is the change of the structure, once, when the tables change places; the
//! ghost's rows are there already, as those of the real table.
//!
//! Guarantee: the statements that changed the ghost run on the real table, each once and in their
//! order, at the place of the rename; no ghost and no trash table comes to the target. Obstacle:
//! hours may lie between the first statement and the rename, with restarts in between, and the names
//! are all that tells the tables apart. Method: [`read`] says what a statement means by the names in
//! it alone, [`Follower`] keeps a record per ghost table, which is saved in the same commit as the
//! position behind the statement. A record knows whether its beginning was seen; where it was not,
//! [`Trace`] reads it out of the binlog before the place where following began, and a change that
//! cannot be known in full is an error, never a guess.
//!
//! A table that leaves for a trash name without another one taking its place is *away*: it is kept
//! at the target until it is clear what becomes of it (the second rename of a cut-over in two
//! steps, its return, its end). So a cut-over may also be two renames, or DROP and RENAME.
//!
//! All of it is pure: names and statements in, statements out.

mod follower;
mod foreign_keys;
mod names;
mod record;
mod steps;
#[cfg(test)]
mod tests;
mod trace;

pub use follower::{Action, Follower};
pub use foreign_keys::renamed_keys;
pub use names::{Kind, Names, running};
pub use record::Change;
pub use steps::{Step, read};
pub use trace::Trace;
