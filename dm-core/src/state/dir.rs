//! The state directory: who may use it, which files lie in it, who owns a task.
//!
//! SQLite's WAL needs shared memory and honest file locks, and so does the owner lock; network
//! file systems promise neither, so a directory on one is refused. A directory that everybody can
//! write to is refused because a stranger could lay a prepared state file there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::db::{Db, Form};
use crate::error::{Error, Result, codes};

/// File names are at most 255 bytes; the longest ending is `.lock` or `.db-journal`.
const NAME_BYTES_MAX: usize = 200;

/// A command that looks whether a task runs holds the lock for an instant; an owner that starts
/// in this instant tries again before it believes that there is another owner.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

fn dir_error(path: &Path, what: &str, cause: &io::Error) -> Error {
    Error::new(&codes::STATE_DIR, format!("{what} {}", path.display())).cause(cause)
}

/// Makes the directory usable or says why it is not.
pub(super) fn prepare(dir: &Path) -> Result<()> {
    if !dir.exists() {
        create_dir(dir).map_err(|e| dir_error(dir, "cannot create state directory", &e))?;
    }
    look(dir)
}

/// Says why a directory cannot be used; one that is not there yet is judged by the place where it
/// would be made. Nothing is made or changed.
pub(crate) fn look(dir: &Path) -> Result<()> {
    if !dir.exists() {
        let parent = dir.ancestors().skip(1).find(|p| p.exists());
        return parent.map_or(Ok(()), |parent| on_network(dir, parent));
    }
    let meta = fs::metadata(dir).map_err(|e| dir_error(dir, "cannot use state directory", &e))?;
    if !meta.is_dir() {
        let text = format!("state directory {} is not a directory", dir.display());
        return Err(Error::new(&codes::STATE_DIR, text));
    }
    check_mode(dir, &meta)?;
    on_network(dir, dir)
}

fn on_network(dir: &Path, at: &Path) -> Result<()> {
    judge(dir, file_system(at))
}

fn judge(dir: &Path, kind: Option<String>) -> Result<()> {
    if let Some(kind) = kind.filter(|kind| is_network(kind)) {
        let text = format!("state directory {} lies on a {kind} file system", dir.display());
        return Err(Error::new(&codes::STATE_NETWORK_FS, text));
    }
    Ok(())
}

/// Makes a directory, and those above it, that only its owner can read.
#[cfg(unix)]
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Makes a directory, and those above it.
#[cfg(not(unix))]
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(unix)]
fn check_mode(dir: &Path, meta: &fs::Metadata) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let (who, letters) = match meta.permissions().mode() & 0o022 {
        0 => return Ok(()),
        0o020 => ("its group", "g"),
        0o002 => ("everybody", "o"),
        _ => ("everybody", "go"),
    };
    let text = format!("state directory {} can be written by {who}", dir.display());
    let advice =
        format!("Run `chmod {letters}-w {}`, or give another `--state-dir`.", dir.display());
    Err(Error::new(&codes::STATE_DIR, text).workaround(advice))
}

#[cfg(not(unix))]
fn check_mode(_dir: &Path, _meta: &fs::Metadata) -> Result<()> {
    Ok(())
}

/// The kind of the file system that a directory lies on; `None` where it cannot be told.
fn file_system(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    file_system_in(&table, &dir)
}

/// Finds the mount of a path in the text of `/proc/self/mountinfo` (proc(5): the fifth field is
/// the mount point, the first field after ` - ` the type; later mounts cover earlier ones).
fn file_system_in(table: &str, dir: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in table.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (Some(point), Some(kind)) = (left.split(' ').nth(4), right.split(' ').next()) else {
            continue;
        };
        let point = unescape(point);
        let depth = Path::new(&point).components().count();
        if dir.starts_with(&point) && best.is_none_or(|(d, _)| depth >= d) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

/// Undoes the kernel's escapes of blank, tab, newline and backslash.
fn unescape(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn is_network(kind: &str) -> bool {
    const KINDS: &[&str] = &[
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "smb3",
        "smbfs",
    ];
    KINDS.contains(&kind)
}

/// A task's name as a file name: letters, digits, `-`, `_` and inner dots stay, all else becomes
/// `%XX`; a name that gets too long ends in a hash of the whole.
pub(crate) fn file_stem(task: &str) -> String {
    let mut stem = String::with_capacity(task.len());
    for (i, &b) in task.as_bytes().iter().enumerate() {
        if b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || (b == b'.' && i > 0) {
            stem.push(char::from(b));
        } else {
            stem.push_str(&format!("%{b:02X}"));
        }
    }
    if stem.len() > NAME_BYTES_MAX {
        let hash = xxhash_rust::xxh3::xxh3_128(task.as_bytes());
        stem.truncate(NAME_BYTES_MAX - 33);
        stem.push_str(&format!("%{hash:032x}"));
    }
    stem
}

/// The way back of [`file_stem`], as far as there is one.
fn task_of_stem(stem: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(stem.len());
    let mut rest = stem.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%' {
            let (hex, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn state_file(dir: &Path, task: &str) -> PathBuf {
    dir.join(format!("{}.db", file_stem(task)))
}

fn lock_file(dir: &Path, task: &str) -> PathBuf {
    dir.join(format!("{}.lock", file_stem(task)))
}

/// The file that a task's process in the background logs to.
pub fn log_file(dir: &Path, task: &str) -> PathBuf {
    dir.join(format!("{}.log", file_stem(task)))
}

/// Opens the log file of a task for appending, creating it (mode 0600) and the directory when they
/// are missing.
///
/// # Errors
///
/// `STATE_DIR` and `STATE_NETWORK_FS` for a directory that cannot be used.
pub fn open_log(dir: &Path, task: &str) -> Result<File> {
    prepare(dir)?;
    let path = log_file(dir, task);
    private(false)
        .append(true)
        .create(true)
        .open(&path)
        .map_err(|e| dir_error(&path, "cannot open log file", &e))
}

/// The state file of a task that must be there.
pub(super) fn require(dir: &Path, task: &str) -> Result<PathBuf> {
    let file = state_file(dir, task);
    if file.is_file() {
        return Ok(file);
    }
    Err(missing(dir, task))
}

pub(super) fn missing(dir: &Path, task: &str) -> Error {
    let text = format!("no task {task:?} in state directory {}", dir.display());
    Error::new(&codes::TASK_MISSING, text)
}

/// The names of the tasks that have a state file in a directory, sorted, those included whose file
/// cannot be read. A directory that does not exist has none. Files of other programs are passed
/// over.
///
/// # Errors
///
/// `STATE_DIR` when the directory cannot be read.
pub fn list_tasks(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(dir_error(dir, "cannot read state directory", &e)),
    };
    let mut tasks = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| dir_error(dir, "cannot read state directory", &e))?;
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "db") {
            continue;
        }
        // The name stands in the file: a long file name holds only a hash of it. A file of ours
        // that cannot be read now (damaged, newer, locked) is still a task that people look for.
        let named = Db::open_existing(&path).and_then(|(db, form)| match form {
            Form::Empty => Ok(None),
            _ => db.task_name().map(Some),
        });
        match named {
            Ok(name) => tasks.extend(name),
            Err(e) if *e.code() == codes::STATE_FOREIGN => {}
            Err(_) => tasks.extend(path.file_stem().and_then(|s| task_of_stem(s.to_str()?))),
        }
    }
    tasks.sort();
    Ok(tasks)
}

pub(crate) fn private(write: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(write);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Replaces a file, or makes it, as a whole: whoever reads it meanwhile, and a crash, see the old text or
/// the new one. Only its owner can read it.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let _ = fs::remove_file(&new);
    let mut file = private(true).create_new(true).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes an empty file that only its owner can read, unless it is there. SQLite gives its other
/// files (`-wal`, `-shm`) the mode of this one.
pub(super) fn create_private(file: &Path) -> Result<()> {
    match private(true).create_new(true).open(file) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(dir_error(file, "cannot create", &e)),
    }
}

pub(super) fn remove_files(dir: &Path, task: &str) -> Result<()> {
    let file = state_file(dir, task);
    // The -wal file goes first: without the main file it would be applied to the next one.
    for ending in ["-wal", "-shm", "-journal", "-reserve", ""] {
        let mut name = file.clone().into_os_string();
        name.push(ending);
        match fs::remove_file(&name) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(dir_error(Path::new(&name), "cannot remove", &e)),
        }
    }
    Ok(())
}

/// The kernel lock that says who runs a task.
#[derive(Debug)]
pub(super) struct OwnerLock {
    _file: File,
}

impl OwnerLock {
    pub(super) fn take(dir: &Path, task: &str) -> Result<Self> {
        let path = lock_file(dir, task);
        let mut file = private(true)
            .create(true)
            .open(&path)
            .map_err(|e| dir_error(&path, "cannot open lock file", &e))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => {
                    let written = file
                        .set_len(0)
                        .and_then(|()| writeln!(file, "pid {}", std::process::id()))
                        .and_then(|()| file.flush());
                    written.map_err(|e| dir_error(&path, "cannot write lock file", &e))?;
                    return Ok(Self { _file: file });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(e)) => {
                    return Err(dir_error(&path, "cannot lock", &e));
                }
            }
        }
        let who = read_owner(&mut file);
        let text = format!("task {task:?} is run by another process ({who})");
        Err(Error::new(&codes::STATE_OWNED, text))
    }
}

fn read_owner(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(64).read_to_string(&mut text));
    match (read, text.trim()) {
        (Ok(_), who) if !who.is_empty() => who.to_owned(),
        _ => "pid not known".to_owned(),
    }
}

pub(super) fn owner(dir: &Path, task: &str) -> Result<Option<String>> {
    let path = lock_file(dir, task);
    let mut file = match private(false).open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(dir_error(&path, "cannot open lock file", &e)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read_owner(&mut file))),
        Err(TryLockError::Error(e)) => Err(dir_error(&path, "cannot ask the lock of", &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw - nfs4 server:/srv rw
31 30 8:2 / /srv/local\\040disk rw - xfs /dev/sdb rw
32 22 0:41 / /covered rw - nfs4 server:/a rw
33 22 0:42 / /covered rw - tmpfs tmpfs rw
line without a separator
";

    #[test]
    fn the_innermost_and_last_mount_counts() {
        for (dir, kind) in [
            ("/var/a", "ext4"),
            ("/srv", "nfs4"),
            ("/srv/x/y", "nfs4"),
            ("/srv/local disk/dm", "xfs"),
            ("/srvx", "ext4"),
            ("/covered/x", "tmpfs"),
        ] {
            assert_eq!(file_system_in(MOUNTS, Path::new(dir)).as_deref(), Some(kind), "{dir}");
        }
        assert!(is_network("nfs4") && !is_network("xfs"));
    }

    #[test]
    fn a_network_file_system_is_refused() {
        let judged = |dir: &str| judge(Path::new(dir), file_system_in(MOUNTS, Path::new(dir)));
        let error = judged("/srv/state").unwrap_err();
        assert_eq!(error.code(), &codes::STATE_NETWORK_FS);
        assert!(error.message().contains("/srv/state lies on a nfs4"), "{error}");
        judged("/var/state").unwrap();
        judged("/covered/state").unwrap();
    }

    #[test]
    fn names_become_file_names() {
        assert_eq!(file_stem("a-b_1.c"), "a-b_1.c");
        assert_eq!(file_stem("../x"), "%2E.%2Fx");
        assert_eq!(file_stem("ä%"), "%C3%A4%25");
        for name in ["a-b_1.c", "../x", "ä%", ""] {
            assert_eq!(task_of_stem(&file_stem(name)).as_deref(), Some(name));
        }
        assert_eq!(task_of_stem("%4"), None);
        let (a, b) = (file_stem(&"x".repeat(300)), file_stem(&"x".repeat(301)));
        assert!(a.len() <= NAME_BYTES_MAX && a != b);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_for_everybody_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(prepare(dir.path()).unwrap_err().code(), &codes::STATE_DIR);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(prepare(&file).unwrap_err().code(), &codes::STATE_DIR);
    }
}
