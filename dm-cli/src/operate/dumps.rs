//! `--dump-dir`: a dump directory that stands in for the copy of a source.
//!
//! It means what `recorded.dump-dir` in a source file means. A task that has begun with it goes on
//! with it, also when the next start does not name it: a copy that came half from a directory and
//! half from a server would be neither.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use dm_core::config::{SourceKind, SourcePlan, TaskPlan};
use serde_json::{Value, json};

use crate::files::Failure;

/// A directory in the layout of Dumpling or mydumper, and whose copy it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// The source; `None` where the task has only one.
    source: Option<String>,
    dir: PathBuf,
}

impl FromStr for Dump {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (source, dir) = match text.split_once('=') {
            // A path may hold this sign as well.
            Some((id, dir)) if !id.contains('/') => (Some(id.to_owned()), dir),
            _ => (None, text),
        };
        if dir.is_empty() || source.as_ref().is_some_and(String::is_empty) {
            return Err("expected DIR, or SOURCE-ID=DIR where a task has several sources".into());
        }
        Ok(Self { source, dir: PathBuf::from(dir) })
    }
}

impl Dump {
    /// The same with a path that does not depend on where the process stands.
    pub fn absolute(&self) -> Self {
        let dir = std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone());
        Self { dir, ..self.clone() }
    }

    pub fn to_json(&self) -> Value {
        json!({"source": self.source, "dir": self.dir})
    }

    pub fn from_json(value: &Value) -> Option<Self> {
        let source = value.get("source")?.as_str().map(str::to_owned);
        Some(Self { source, dir: PathBuf::from(value.get("dir")?.as_str()?) })
    }

    /// Puts the directory in the place of the source's copy.
    pub fn apply(&self, plan: &mut TaskPlan) -> Result<(), Failure> {
        let wrong =
            |why: &str| Err(Failure::Usage(format!("--dump-dir {}: {why}", self.dir.display())));
        if !plan.mode.copies() {
            return wrong("the task's mode makes no copy");
        }
        let source = match (&self.source, &mut *plan.sources) {
            (None, [only]) => only,
            (None, _) => return wrong("the task has several sources: give SOURCE-ID=DIR"),
            (Some(id), sources) => match sources.iter_mut().find(|s| s.source_id == *id) {
                Some(source) => source,
                None => return wrong(&format!("the task has no source {id:?}")),
            },
        };
        replace(source, &self.dir);
        Ok(())
    }
}

fn replace(source: &mut SourcePlan, dir: &Path) {
    let place = match &mut source.kind {
        SourceKind::Mysql(server) => &mut server.dump_dir,
        SourceKind::Recorded(files) => &mut files.dump_dir,
        // Kinds of sources that are not there yet.
        _ => return,
    };
    *place = Some(dir.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_and_without_its_source() {
        let parse = |text: &str| text.parse::<Dump>().map(|d| (d.source, d.dir)).ok();
        let dump = |source: Option<&str>, dir: &str| Some((source.map(str::to_owned), dir.into()));
        assert_eq!(parse("dump"), dump(None, "dump"));
        assert_eq!(parse("a=dump"), dump(Some("a"), "dump"));
        assert_eq!(parse("/b/day=3"), dump(None, "/b/day=3"));
        assert_eq!(parse("a=/b/day=3"), dump(Some("a"), "/b/day=3"));
        for wrong in ["", "=", "a=", "=dump"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        for text in ["dump", "a=/dump"] {
            let dump: Dump = text.parse().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(Dump::from_json(&dump.to_json()), Some(dump));
        }
    }
}
