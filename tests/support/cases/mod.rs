//! The runner of case directories. A case is a directory of plain files under `tests/cases`; the
//! words of the files are explained in `tests/cases/README.md`, adding one needs no Rust.

pub mod files;
pub mod run;
