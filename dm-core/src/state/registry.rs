//! The sources that a state directory knows (`operate-source`).
//!
//! One file for all of them, replaced as a whole: a change of several sources is made entirely or
//! not at all, also when the machine goes down in its middle. Writers take turns by a kernel lock
//! on a file beside it. The texts are those of the users' files, passwords encrypted by whoever
//! registers them ([`crate::config::conceal`]); the file can be read by its owner alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::db::now;
use super::dir;
use crate::error::{Error, Result, codes};

const FILE: &str = "sources.json";
const LOCK: &str = "sources.lock";

/// A source that is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The text of its source file.
    pub text: String,
    /// When it was registered or changed last, seconds since the epoch.
    pub at: i64,
}

/// The sources that a state directory knows, by `source-id`.
#[derive(Debug)]
pub struct Registry {
    dir: PathBuf,
}

impl Registry {
    /// The registry of a state directory, which need not exist before something is registered.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// All sources.
    ///
    /// # Errors
    ///
    /// `STATE_IO` when the file cannot be read, `STATE_CORRUPT` when it is damaged.
    pub fn sources(&self) -> Result<BTreeMap<String, Registered>> {
        let path = self.dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(e) => return Err(broken(&path, &e)),
        };
        serde_json::from_str(&text).map_err(|e| {
            let text = format!("{} is damaged", path.display());
            Error::new(&codes::STATE_CORRUPT, text).cause(e).workaround(
                "Move the file away and register the sources again with `dm operate-source create`.",
            )
        })
    }

    /// Registers sources that are not known yet: all of them or, on an error, none.
    ///
    /// # Errors
    ///
    /// `SOURCE_EXISTS` naming those that are known; else as all writes.
    pub fn create(&self, new: &BTreeMap<String, String>) -> Result<()> {
        self.change(|sources| {
            refuse(new.keys().filter(|id| sources.contains_key(*id)), &codes::SOURCE_EXISTS)?;
            put(sources, new);
            Ok(())
        })
    }

    /// Replaces what is known of sources: all of them or, on an error, none.
    ///
    /// # Errors
    ///
    /// `SOURCE_MISSING` naming those that are not known; else as all writes.
    pub fn update(&self, new: &BTreeMap<String, String>) -> Result<()> {
        self.change(|sources| {
            refuse(new.keys().filter(|id| !sources.contains_key(*id)), &codes::SOURCE_MISSING)?;
            put(sources, new);
            Ok(())
        })
    }

    /// Forgets sources: all of them or, on an error, none.
    ///
    /// # Errors
    ///
    /// `SOURCE_MISSING` naming those that are not known; else as all writes.
    pub fn remove(&self, ids: &[String]) -> Result<()> {
        self.change(|sources| {
            refuse(ids.iter().filter(|id| !sources.contains_key(*id)), &codes::SOURCE_MISSING)?;
            sources.retain(|id, _| !ids.contains(id));
            Ok(())
        })
    }

    fn change(
        &self,
        f: impl FnOnce(&mut BTreeMap<String, Registered>) -> Result<()>,
    ) -> Result<()> {
        dir::prepare(&self.dir)?;
        let lock = self.dir.join(LOCK);
        dir::create_private(&lock)?;
        let file = File::open(&lock).map_err(|e| broken(&lock, &e))?;
        // Held for the instant of a change; the kernel lets go of it in any case.
        file.lock().map_err(|e| broken(&lock, &e))?;
        let mut sources = self.sources()?;
        f(&mut sources)?;
        self.write(&sources)
    }

    fn write(&self, sources: &BTreeMap<String, Registered>) -> Result<()> {
        let path = self.dir.join(FILE);
        let text = serde_json::to_string_pretty(sources)
            .map_err(|e| Error::new(&codes::STATE_IO, "the sources cannot be written").cause(e))?;
        dir::replace(&path, text.as_bytes()).map_err(|e| broken(&path, &e))
    }
}

fn broken(path: &Path, cause: &io::Error) -> Error {
    Error::new(&codes::STATE_IO, format!("{} cannot be used", path.display())).cause(cause)
}

fn refuse<'a>(
    ids: impl Iterator<Item = &'a String>,
    code: &'static crate::error::Code,
) -> Result<()> {
    let ids: Vec<&str> = ids.map(String::as_str).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let word = if code == &codes::SOURCE_EXISTS { "already" } else { "not" };
    Err(Error::new(code, format!("registered {word}: {}", ids.join(", "))))
}

fn put(sources: &mut BTreeMap<String, Registered>, new: &BTreeMap<String, String>) {
    for (id, text) in new {
        sources.insert(id.clone(), Registered { text: text.clone(), at: now() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ids: &[&str]) -> BTreeMap<String, String> {
        ids.iter().map(|id| ((*id).to_owned(), format!("source-id: {id}\n"))).collect()
    }

    fn ids(registry: &Registry) -> Vec<String> {
        registry.sources().unwrap().into_keys().collect()
    }

    #[test]
    fn several_sources_are_taken_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path().join("state"));
        assert!(ids(&registry).is_empty());
        registry.create(&texts(&["a", "b"])).unwrap();
        let error = registry.create(&texts(&["b", "c"])).unwrap_err();
        assert_eq!(error.code(), &codes::SOURCE_EXISTS);
        assert_eq!(ids(&registry), ["a", "b"]);
        let error = registry.update(&texts(&["a", "c"])).unwrap_err();
        assert_eq!(error.code(), &codes::SOURCE_MISSING);
        let error = registry.remove(&["a".to_owned(), "c".to_owned()]).unwrap_err();
        assert_eq!(error.code(), &codes::SOURCE_MISSING);
        registry.remove(&["a".to_owned()]).unwrap();
        assert_eq!(ids(&registry), ["b"]);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        Registry::new(dir.path()).create(&texts(&["a"])).unwrap();
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{").unwrap();
        let error = Registry::new(dir.path()).sources().unwrap_err();
        assert_eq!(error.code(), &codes::STATE_CORRUPT);
    }

    #[test]
    fn writers_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let registry = Registry::new(dir.path());
                scope.spawn(move || registry.create(&texts(&[&format!("s{n}")])).unwrap());
            }
        });
        assert_eq!(ids(&Registry::new(dir.path())).len(), 8);
    }
}
