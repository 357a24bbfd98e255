//! Binlog files as a stream.
//!
//! Guarantee: the events behind the position, of all files in order, each once, and then the end.
//! A file that is missing between two others, one that is damaged, and one that stops in the
//! middle of an event although others follow, are errors. The last file may stop anywhere: a
//! server was still writing it. What is whole of it is told, and a warning says what is not.
//!
//! A stream by GTID begins with the last file before which nothing else was executed, and passes
//! over the groups that the position contains. A stream in the middle of a file reads the head of
//! that file first, which says how its events are protected.

use std::path::{Path, PathBuf};

use crate::binlog::Framed;
use crate::config::BinlogFiles;
use crate::error::{Error, Result, codes};
use crate::position::{BinlogFile, BinlogPos, Flavor, GtidSet, Position};
use crate::source::binlog_file::{self, FIRST_EVENT, Head, Reader, open_at, passes_over};
use crate::source::queue::Out;
use crate::source::translate::{RowChoice, Translator};

/// Binlog files in order.
#[derive(Clone, Debug)]
pub(super) struct Files {
    list: Vec<(BinlogFile, PathBuf)>,
    flavor: Option<Flavor>,
}

impl Files {
    /// Finds the files; there is at least one.
    pub fn open(files: &BinlogFiles, flavor: Option<Flavor>) -> Result<Self> {
        let list = match files {
            BinlogFiles::Files(paths) => paths
                .iter()
                .map(|path| Ok((file_name(path)?, path.clone())))
                .collect::<Result<Vec<_>>>()?,
            BinlogFiles::Dir(dir) => numbered(dir)?,
        };
        if list.is_empty() {
            return Err(missing("no binlog files are there".to_owned()));
        }
        for pair in list.windows(2) {
            if let [(one, _), (two, _)] = pair
                && one.next() != *two
            {
                return Err(missing(format!(
                    "{two} does not follow {one}: {} is missing, or the order is wrong",
                    one.next()
                )));
            }
        }
        Ok(Self { list, flavor })
    }

    fn at(&self, index: usize) -> Result<&(BinlogFile, PathBuf)> {
        self.list.get(index).ok_or_else(|| missing(format!("there is no file {index}")))
    }

    /// The head of the first file.
    pub fn head(&self) -> Result<Head> {
        let (_, path) = self.at(0)?;
        self.head_of(path)
    }

    fn head_of(&self, path: &Path) -> Result<Head> {
        binlog_file::head_of(path, self.flavor)
    }

    /// The beginning of the first file.
    pub fn first(&self, gtid: bool) -> Result<Position> {
        let (file, _) = self.at(0)?;
        let binlog = BinlogPos::new(file.clone(), FIRST_EVENT);
        let gtid = if gtid { self.head()?.before } else { None };
        Ok(Position { binlog: Some(binlog), gtid })
    }

    /// The end of the last file.
    pub fn last(&self) -> Result<Position> {
        let (file, path) = self.at(self.list.len().saturating_sub(1))?;
        let bytes = std::fs::metadata(path).map_err(|e| unreadable(path, e))?.len();
        Ok(Position::at(BinlogPos::new(file.clone(), bytes)))
    }

    /// The stream behind a position.
    pub fn stream(
        &self,
        from: &Position,
        use_gtid: bool,
        wanted: Option<RowChoice>,
    ) -> Result<FileStream> {
        let (index, offset, contained) = match (&from.gtid, &from.binlog) {
            (Some(set), _) if use_gtid => (self.file_of_gtid(set)?, FIRST_EVENT, Some(set.clone())),
            (_, Some(pos)) => (self.file_of(pos)?, pos.offset.max(FIRST_EVENT), None),
            (Some(set), None) => (self.file_of_gtid(set)?, FIRST_EVENT, Some(set.clone())),
            (None, None) => {
                return Err(Error::new(
                    &codes::METADATA_NO_POSITION,
                    "it is not known from which position the recorded binlog is to be followed",
                ));
            }
        };
        let (file, path) = self.at(index)?;
        let flavor = self.head_of(path)?.flavor;
        let start = BinlogPos::new(file.clone(), FIRST_EVENT);
        let mut translator = Translator::new(flavor, start, false).wanting(wanted);
        let reader = open_at(file, path, offset, &mut translator)?;
        Ok(FileStream {
            files: self.clone(),
            index,
            reader,
            translator,
            contained,
            skipping: false,
        })
    }

    fn file_of(&self, pos: &BinlogPos) -> Result<usize> {
        if let Some(index) = self.list.iter().position(|(file, _)| *file == pos.file) {
            return Ok(index);
        }
        let name = |at: Option<&(BinlogFile, PathBuf)>| at.map(|(f, _)| f.to_string());
        let (first, last) = (self.list.first(), self.list.last());
        let range = format!(
            "{} to {} are there",
            name(first).unwrap_or_default(),
            name(last).unwrap_or_default()
        );
        let older = first.is_some_and(|(first, _)| pos.file < *first);
        let code = if older { &codes::SOURCE_PURGED } else { &codes::SOURCE_POSITION_BEYOND };
        Err(Error::new(code, format!("the file of {pos} is not among the recorded ones: {range}"))
            .workaround("Add the file to `recorded.binlog-files` or to the directory."))
    }

    /// The last file before which nothing was executed that the set lacks.
    fn file_of_gtid(&self, set: &GtidSet) -> Result<usize> {
        let mut best = None;
        let mut lacking = None;
        for (index, (_, path)) in self.list.iter().enumerate() {
            let before = self.head_of(path)?.before.ok_or_else(|| {
                Error::new(
                    &codes::NO_PREVIOUS_GTIDS,
                    format!("{} does not say which GTIDs came before it", path.display()),
                )
                .workaround("Set `enable-gtid: false` and give the position by file and offset.")
            })?;
            if !before.is_subset(set) {
                lacking = Some(before.minus(set)?);
                break;
            }
            best = Some(index);
        }
        best.ok_or_else(|| {
            let lacking = lacking.map(|set| set.to_string()).unwrap_or_default();
            Error::new(
                &codes::SOURCE_PURGED,
                format!("the recorded files begin behind [{set}]: the transactions {lacking} lack"),
            )
            .workaround("Add the older files to `recorded.binlog-files` or to the directory.")
        })
    }
}

/// The files of a directory whose names end in a number, in the order of numbers.
fn numbered(dir: &Path) -> Result<Vec<(BinlogFile, PathBuf)>> {
    let mut list: Vec<(BinlogFile, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| unreadable(dir, e))? {
        let path = entry.map_err(|e| unreadable(dir, e))?.path();
        if path.is_file()
            && let Ok(file) = file_name(&path)
        {
            list.push((file, path));
        }
    }
    if let Some((first, _)) = list.first()
        && let Some((other, _)) = list.iter().find(|(file, _)| file.base() != first.base())
    {
        return Err(missing(format!(
            "{} holds files of two servers: {first} and {other}",
            dir.display()
        )));
    }
    list.sort_by_key(|(file, _)| file.seq());
    Ok(list)
}

fn file_name(path: &Path) -> Result<BinlogFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(name.parse::<BinlogFile>()?)
}

fn missing(what: String) -> Error {
    Error::new(&codes::SOURCE_PURGED, what)
        .workaround("Name all files between the first and the last, in the order of their numbers.")
}

fn unreadable(path: &Path, cause: std::io::Error) -> Error {
    binlog_file::unreadable(path, cause)
        .workaround("Check `recorded.binlog-files` or `recorded.binlog-dir` and the rights to it.")
}

/// A stream over files.
pub(super) struct FileStream {
    files: Files,
    index: usize,
    /// `None` for a file that has not even its first bytes.
    reader: Option<Reader>,
    translator: Translator,
    /// Groups that the position contains; the others are told.
    contained: Option<GtidSet>,
    skipping: bool,
}

impl FileStream {
    /// Tells the next event; false at the end of the last file.
    pub fn step(&mut self, out: Out<'_>) -> Result<bool> {
        let torn = match &mut self.reader {
            None => Some(0),
            Some(reader) => match reader.next_event()? {
                Framed::Event { bytes, .. } => {
                    let contained = self.contained.as_ref();
                    let skipping = &mut self.skipping;
                    self.translator.event(bytes, &mut |event| match contained {
                        Some(set) if passes_over(&event, set, skipping) => Ok(()),
                        _ => out(event),
                    })?;
                    return Ok(true);
                }
                Framed::End => None,
                Framed::Torn { good } => Some(good),
            },
        };
        let (_, path) = self.files.at(self.index)?;
        let last = self.index + 1 >= self.files.list.len();
        match torn {
            Some(good) if last => log::warn!(
                "{} ends in the middle of an event, behind offset {good}: what follows is not told",
                path.display()
            ),
            Some(good) => {
                return Err(Error::new(
                    &codes::BINLOG_FILE_PARSE,
                    format!(
                        "{} is cut off behind offset {good}, and other files follow it",
                        path.display()
                    ),
                ));
            }
            None => {}
        }
        if last {
            return Ok(false);
        }
        self.index += 1;
        let (name, path) = self.files.at(self.index)?;
        self.reader = open_at(name, path, FIRST_EVENT, &mut self.translator)?;
        if self.reader.is_none() {
            self.translator.move_to(BinlogPos::new(name.clone(), FIRST_EVENT));
        }
        Ok(true)
    }
}
