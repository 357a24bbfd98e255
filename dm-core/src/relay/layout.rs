//! What lies in a relay log's directory, in DM's layout.
//!
//! ```text
//! relay-dir/server-uuid.index               one sub-directory a line, oldest first
//! relay-dir/<server>.000001/mysql-bin.000007   the server's file, byte for byte
//! relay-dir/<server>.000001/relay.meta
//! relay-dir/<server>.000002/...             the next server, after a switch
//! ```
//!
//! A sub-directory counts when the index names it. It is made before the index names it, so that a crash
//! in between leaves an empty directory that the next attempt takes.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::meta::Meta;
use crate::error::{Code, Error, Result, codes};
use crate::position::{BinlogFile, Flavor};
use crate::state;

const INDEX: &str = "server-uuid.index";
const META: &str = "relay.meta";

/// One server's part of a relay log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubDir {
    /// server_uuid; on MariaDB, which has none, `domain-server_id`.
    pub server: String,
    /// Counts the servers that the source was, from 1.
    pub number: u32,
}

impl fmt::Display for SubDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.server, self.number)
    }
}

impl SubDir {
    fn parse(line: &str) -> Result<Self> {
        let wrong = || {
            let text = format!("{line:?} is not of the form server.000001");
            Error::new(&codes::RELAY_UUID_SUFFIX, text)
        };
        let (server, number) = line.rsplit_once('.').ok_or_else(wrong)?;
        let digits = number.len() == 6 && number.bytes().all(|b| b.is_ascii_digit());
        // It becomes the name of a directory.
        let name = !server.is_empty() && !server.contains(['/', '\\']);
        if !digits || !name {
            return Err(wrong());
        }
        Ok(Self { server: server.to_owned(), number: number.parse().map_err(|_| wrong())? })
    }
}

/// The directory of a source's relay log.
#[derive(Clone, Debug)]
pub struct RelayDir {
    root: PathBuf,
    status: PathBuf,
}

impl RelayDir {
    /// A directory, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { status: root.join("relay.status"), root }
    }

    /// The same, with its status in a place that a full disk of the files leaves room.
    #[must_use]
    pub(super) fn status_at(self, status: PathBuf) -> Self {
        Self { status, ..self }
    }

    pub(super) fn status_file(&self) -> &Path {
        &self.status
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Bytes that its file system has, and that may still be written; `None` where the system does not
    /// tell.
    pub fn space(&self) -> Option<(u64, u64)> {
        super::purge::space(&self.root)
    }

    /// Makes it, readable for its owner only, when it is not there.
    pub(super) fn create(&self) -> Result<()> {
        state::create_dir(&self.root).map_err(|e| failed(&self.root, "cannot make", e))
    }

    /// A file directly below the root.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The servers' parts, oldest first.
    ///
    /// # Errors
    ///
    /// 28001 when the index cannot be read, 28002, 30001 and 30002 when it makes no sense.
    pub fn subdirs(&self) -> Result<Vec<SubDir>> {
        let path = self.file(INDEX);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => {
                let text = format!("{} cannot be read", path.display());
                return Err(Error::new(&codes::RELAY_INDEX, text).cause(e));
            }
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let all = lines.map(SubDir::parse).collect::<Result<Vec<_>>>()?;
        for pair in all.windows(2) {
            let [one, two] = pair else { continue };
            if two.number != one.number + 1 {
                let back = two.number <= one.number;
                let code =
                    if back { &codes::RELAY_SUFFIX_ORDER } else { &codes::RELAY_SUFFIX_STEP };
                let text = format!("{}: {two} follows {one}", path.display());
                return Err(Error::new(code, text));
            }
        }
        Ok(all)
    }

    /// Where a server's part lies.
    pub fn sub(&self, sub: &SubDir) -> PathBuf {
        self.root.join(sub.to_string())
    }

    /// The binlog files of a server's part, in their order; one that is gone has none.
    ///
    /// # Errors
    ///
    /// 28005 when the directory cannot be read.
    pub fn files(&self, sub: &SubDir) -> Result<Vec<(BinlogFile, PathBuf)>> {
        let dir = self.sub(sub);
        let cannot = |e: io::Error| {
            Error::new(&codes::RELAY_DIR_EMPTY, format!("{} cannot be read", dir.display()))
                .cause(e)
        };
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(cannot(e)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(cannot)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Other files, `relay.meta` among them, have no number at their end.
            if let Ok(file) = name.parse::<BinlogFile>() {
                files.push((file, path));
            }
        }
        files.sort_by_key(|(file, _)| file.seq());
        Ok(files)
    }

    /// Begins the part of the next server.
    pub(super) fn begin(&self, server: &str) -> Result<SubDir> {
        self.create()?;
        let mut all = self.subdirs()?;
        let number = all.last().map_or(1, |last| last.number + 1);
        let sub = SubDir::parse(&SubDir { server: server.to_owned(), number }.to_string())?;
        let dir = self.sub(&sub);
        // What an attempt left that did not come as far as the index.
        remove_dir(&dir)?;
        state::create_dir(&dir).map_err(|e| failed(&dir, "cannot make", e))?;
        all.push(sub.clone());
        self.write_index(&all)?;
        Ok(sub)
    }

    /// Forgets the parts before the one of this number, with all that is in them.
    pub(super) fn forget_before(&self, number: u32) -> Result<()> {
        let all = self.subdirs()?;
        let (old, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|sub| sub.number < number);
        if old.is_empty() {
            return Ok(());
        }
        // A directory that the index does not name is no harm; one that it names and that is gone
        // would be.
        self.write_index(&kept)?;
        old.iter().try_for_each(|sub| remove_dir(&self.sub(sub)))
    }

    fn write_index(&self, all: &[SubDir]) -> Result<()> {
        let text: String = all.iter().map(|sub| format!("{sub}\n")).collect();
        let path = self.file(INDEX);
        state::replace(&path, text.as_bytes()).map_err(|e| failed(&path, "cannot write", e))
    }

    /// Where a server's part stands, as it was written last; `None` when nothing sensible was.
    pub(super) fn meta(&self, sub: &SubDir, flavor: Flavor) -> Result<Option<Meta>> {
        let path = self.sub(sub).join(META);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Meta::parse(&text, flavor)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => {
                let text = format!("{} cannot be read", path.display());
                Err(Error::new(&codes::RELAY_META_LOAD, text).cause(e))
            }
        }
    }

    pub(super) fn set_meta(&self, sub: &SubDir, meta: &Meta) -> Result<()> {
        let path = self.sub(sub).join(META);
        state::replace(&path, meta.to_text().as_bytes())
            .map_err(|e| failed_as(&codes::RELAY_META_FLUSH, &path, "cannot write", e))
    }
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(failed_as(&codes::RELAY_REMOVE, dir, "cannot remove", e))
        }
        _ => Ok(()),
    }
}

/// What a failed write means.
pub(super) fn failed(path: &Path, what: &str, cause: io::Error) -> Error {
    failed_as(&codes::RELAY_WRITE, path, what, cause)
}

fn failed_as(code: &'static Code, path: &Path, what: &str, cause: io::Error) -> Error {
    let full = matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let error = Error::new(code, format!("{what} {}", path.display())).cause(cause);
    if !full {
        return error;
    }
    error.workaround(
        "The disk is full: make room (`dm purge-relay` removes files that no task needs; \
         `purge.remain-space` and `purge.expires` of the source file do so by themselves), then \
         `dm resume-relay`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> (tempfile::TempDir, RelayDir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = RelayDir::new(temp.path().join("relay"));
        (temp, dir)
    }

    #[test]
    fn parts_are_numbered_and_forgotten_from_the_front() {
        let (_temp, dir) = dir();
        assert_eq!(dir.subdirs().unwrap(), []);
        let one = dir.begin("a-b").unwrap();
        fs::create_dir(dir.path().join("0-1.000002")).unwrap();
        fs::write(dir.path().join("0-1.000002/b.000001"), "left").unwrap();
        let two = dir.begin("0-1").unwrap();
        assert_eq!((one.to_string(), two.to_string()), ("a-b.000001".into(), "0-1.000002".into()));
        assert!(dir.files(&two).unwrap().is_empty());
        dir.forget_before(2).unwrap();
        assert_eq!(dir.subdirs().unwrap(), [two]);
        assert!(!dir.sub(&one).exists());
        assert_eq!(dir.begin("c").unwrap().number, 3);
        assert!(dir.begin("../x").is_err());
    }

    #[test]
    fn an_index_without_sense_is_told() {
        let (_temp, dir) = dir();
        dir.create().unwrap();
        for (text, code) in [
            ("a.000001\nb.000003\n", &codes::RELAY_SUFFIX_STEP),
            ("a.000002\nb.000001\n", &codes::RELAY_SUFFIX_ORDER),
            ("a.1\n", &codes::RELAY_UUID_SUFFIX),
            ("../a.000001\n", &codes::RELAY_UUID_SUFFIX),
        ] {
            fs::write(dir.file(INDEX), text).unwrap();
            assert_eq!(dir.subdirs().unwrap_err().code(), code, "{text}");
        }
    }

    #[test]
    fn files_are_ordered_by_number_and_others_passed_over() {
        let (_temp, dir) = dir();
        let sub = dir.begin("a").unwrap();
        for name in ["b.1000000", "b.999999", "relay.meta", "x"] {
            fs::write(dir.sub(&sub).join(name), "").unwrap();
        }
        let names: Vec<String> =
            dir.files(&sub).unwrap().iter().map(|(file, _)| file.to_string()).collect();
        assert_eq!(names, ["b.999999", "b.1000000"]);
    }

    #[test]
    fn a_full_disk_has_an_advice_of_its_own() {
        let error = failed(Path::new("x"), "cannot write", ErrorKind::StorageFull.into());
        assert!(error.advice().contains("purge-relay"), "{error}");
    }
}
