//! A log file that is put aside when it is full.
//!
//! `x.log` becomes `x.log.1`, `x.log.1` becomes `x.log.2`, and so on up to the number that is kept;
//! the oldest is removed. One process writes a file: renaming is not coordinated with others.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An open log file.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    /// Bytes in it.
    size: u64,
    /// Bytes after which it is put aside.
    most: u64,
    /// Files that are kept beside it.
    kept: u32,
}

impl LogFile {
    /// Opens the file, or makes one that only this user can read.
    pub fn open(path: &Path, most: u64, kept: u32) -> io::Result<Self> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, most, kept })
    }

    /// Writes a line, which is never torn between two files.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        let length = line.len() as u64 + 1;
        if self.size > 0 && self.size.saturating_add(length) > self.most {
            // A directory that has become read-only is no reason to lose lines.
            if self.put_aside().is_err() {
                self.size = 0;
            }
        }
        self.file.write_all(format!("{line}\n").as_bytes())?;
        self.size += length;
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        for number in (1..self.kept).rev() {
            let (from, to) = (self.aside(number), self.aside(number + 1));
            match fs::rename(from, to) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        if self.kept > 0 {
            fs::rename(&self.path, self.aside(1))?;
        } else {
            fs::remove_file(&self.path)?;
        }
        self.file = open(&self.path)?;
        self.size = 0;
        Ok(())
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    #[test]
    fn full_files_are_put_aside_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dm.log");
        let aside = |n: u32| text(&dir.path().join(format!("dm.log.{n}")));
        let mut log = LogFile::open(&path, 10, 2).unwrap();
        for line in ["first", "two", "third", "fourth is longer than a file", "five"] {
            log.line(line).unwrap();
        }
        assert_eq!(text(&path).as_deref(), Some("five\n"));
        assert_eq!(aside(1).as_deref(), Some("fourth is longer than a file\n"));
        assert_eq!(aside(2).as_deref(), Some("third\n"));
        assert_eq!(aside(3), None);

        // What is there already counts.
        drop(log);
        LogFile::open(&path, 10, 2).unwrap().line("sixth").unwrap();
        assert_eq!(aside(1).as_deref(), Some("five\n"));
    }

    #[test]
    fn none_may_be_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dm.log");
        let mut log = LogFile::open(&path, 4, 0).unwrap();
        log.line("one").unwrap();
        log.line("two").unwrap();
        assert_eq!(text(&path).as_deref(), Some("two\n"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_this_user_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dm.log");
        LogFile::open(&path, 4, 0).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
