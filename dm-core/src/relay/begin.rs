//! Where pulling goes on.
//!
//! What is in the files already goes before everything: the server is asked for what follows their end, provided
//! that it is the same server. When it is another one, by GTIDs the next part begins, with the newest of its
//! files before which nothing was done that is not here; only when the server purged nothing that is not here,
//! and executed everything that is. Without GTIDs nothing says where to go on, and that is an error.
//!
//! Without files: `relay-binlog-gtid` or `relay-binlog-name`; else the earliest place that a task of the source
//! needs; else the server's newest file. A part always begins with the start of a file.
//!
//! Files that end before what the server still has, or begin behind what a task needs and the server has,
//! are of no use: they make room for a new part.

use super::desk;
use super::layout::{RelayDir, SubDir};
use super::locate::{Located, locate};
use super::needs::{self, Need};
use super::writer::Writer;
use super::{RelayConfig, layout};
use crate::error::{Error, Result, codes};
use crate::position::{BinlogFile, BinlogPos, GtidSet, Position};
use crate::source::mysql::BinlogServer;

/// A relay log that is ready to take the server's events from a place on.
pub(super) struct Begun {
    pub writer: Writer,
    pub from: BinlogPos,
}

/// Opens the relay log and finds the place. `hint` is what the task of this process needs and has not
/// written down yet.
pub(super) fn begin(
    config: &RelayConfig,
    dir: &RelayDir,
    server: &mut BinlogServer,
    hint: Option<&Position>,
) -> Result<Begun> {
    dir.create()?;
    dir.claim(&config.source)?;
    if let Some(state_dir) = &config.state_dir {
        desk::remember(state_dir, &config.source, dir)?;
    }
    let identity = server.identity()?;
    let mut wanted = needs(config, hint)?;
    let Some(sub) = dir.subdirs()?.pop() else {
        return fresh(config, dir, server, &identity, &wanted);
    };
    let flavor = server.flavor();
    let writer = Writer::open(dir, &sub, flavor, GtidSet::empty(flavor))?;
    let Some(end) = writer.end() else {
        // A part that never got a file; the set that it was begun with is in its meta.
        if sub.server == identity && !writer.done().is_empty() {
            let file = file_of_set(server, writer.done())?;
            return file.map(|file| at(writer, file)).ok_or_else(|| purged(server, "its set"));
        }
        return fresh(config, dir, server, &identity, &wanted);
    };
    if sub.server != identity {
        return switch(config, dir, server, &identity, &writer, &sub);
    }
    wanted.retain(|need| {
        !matches!(here(dir, config, need, &sub), Ok(Located::At(_) | Located::Behind))
    });
    let lacking = first_file(config, server, &wanted)?;
    match server.check(&end) {
        Ok(()) if lacking.is_none() => {}
        // What a task needs is older than what is here, and the server has it.
        Ok(()) => return fresh(config, dir, server, &identity, &wanted),
        Err(error) if error.code() == &codes::SOURCE_PURGED => {
            // What is here ends before what the server has. It is of use only when nobody needs
            // what lies in between.
            let all = needs(config, hint)?;
            let files = server.files()?;
            let lost = all.iter().find(|need| !available(config, server, need, &files));
            if let Some(need) = lost {
                return Err(error.and(format!("task {:?} needs what lies in between", need.task)));
            }
            log::warn!("{}: begins anew: {error}", dir.path().display());
            return fresh(config, dir, server, &identity, &all);
        }
        Err(error) => return Err(error),
    }
    Ok(Begun { from: end, writer })
}

fn at(writer: Writer, file: BinlogFile) -> Begun {
    Begun { writer, from: BinlogPos::new(file, super::writer::FIRST) }
}

fn needs(config: &RelayConfig, hint: Option<&Position>) -> Result<Vec<Need>> {
    let mut all = match &config.state_dir {
        Some(dir) => needs::of_source(dir, &config.source)?,
        None => Vec::new(),
    };
    let own = hint.filter(|position| !position.is_empty()).cloned();
    all.extend(own.map(|position| Need { task: "of this process".to_owned(), position }));
    Ok(all)
}

fn here(dir: &RelayDir, config: &RelayConfig, need: &Need, sub: &SubDir) -> Result<Located> {
    locate(dir, &need.position, config.use_gtid, Some(&sub.server))
}

/// A part that begins with the start of a file; older ones are forgotten.
fn fresh(
    config: &RelayConfig,
    dir: &RelayDir,
    server: &mut BinlogServer,
    identity: &str,
    needs: &[Need],
) -> Result<Begun> {
    let file = match configured(config, server)? {
        Some(file) => file,
        None => match first_file(config, server, needs)? {
            Some(file) => file,
            None => newest(server)?,
        },
    };
    let done = match server.gtids_on()? {
        true => server.before(&file)?,
        false => GtidSet::empty(server.flavor()),
    };
    let sub = dir.begin(identity)?;
    dir.forget_before(sub.number)?;
    let writer = Writer::open(dir, &sub, server.flavor(), done)?;
    log::info!("relay of source {}: begins {sub} with {file}", config.source);
    Ok(at(writer, file))
}

/// The part of the server that took over.
fn switch(
    config: &RelayConfig,
    dir: &RelayDir,
    server: &mut BinlogServer,
    identity: &str,
    old: &Writer,
    sub: &SubDir,
) -> Result<Begun> {
    let done = old.done().clone();
    if !config.use_gtid || !server.gtids_on()? {
        return Err(Error::new(
            &codes::SOURCE_IDENTITY,
            format!(
                "{} is the server {identity}, the relay log {} is one of {}",
                server.address(),
                dir.path().display(),
                sub.server
            ),
        ));
    }
    let (executed, purged) = (server.executed()?, server.purged()?);
    let sets = |what: &str, lack: &GtidSet| {
        format!(
            "{} cannot take over from {}: {what} [{lack}]: purged there [{purged}], fetched so far \
             [{done}], executed there [{executed}]",
            server.address(),
            sub.server
        )
    };
    if !done.is_subset(&executed) {
        let text = sets("it does not have", &done.minus(&executed)?);
        return Err(Error::new(&codes::SOURCE_GTID_MISSING, text));
    }
    if !purged.is_subset(&done) {
        let text = sets("it has purged", &purged.minus(&done)?);
        return Err(Error::new(&codes::SOURCE_PURGED, text));
    }
    let file = match file_of_set(server, &done)? {
        Some(file) => file,
        None => return Err(self::purged(server, &done.to_string())),
    };
    let next = dir.begin(identity)?;
    let mut writer = Writer::open(dir, &next, server.flavor(), done)?;
    // The set is what a restart goes on from, should it come before the first file.
    writer.note()?;
    log::info!("relay of source {}: {next} follows {sub}, with {file}", config.source);
    Ok(at(writer, file))
}

fn purged(server: &BinlogServer, set: &str) -> Error {
    let text = format!("{} has no file that goes on behind [{set}]", server.address());
    Error::new(&codes::SOURCE_PURGED, text)
}

/// What the source file says.
fn configured(config: &RelayConfig, server: &mut BinlogServer) -> Result<Option<BinlogFile>> {
    if let Some(text) = config.plan.binlog_gtid.as_deref().filter(|_| config.use_gtid) {
        let set = GtidSet::parse(server.flavor(), text)?;
        return file_of_set(server, &set)?.map(Some).ok_or_else(|| {
            let text = format!("{} has no file that goes on behind [{set}]", server.address());
            Error::new(&codes::RELAY_START_GTID, text)
        });
    }
    let Some(name) = &config.plan.binlog_name else { return Ok(None) };
    let file: BinlogFile = name.parse()?;
    server.check(&BinlogPos::new(file.clone(), super::writer::FIRST))?;
    Ok(Some(file))
}

/// The earliest file that a task needs; `None` when no task needs one that the server has.
fn first_file(
    config: &RelayConfig,
    server: &mut BinlogServer,
    needs: &[Need],
) -> Result<Option<BinlogFile>> {
    let files = server.files()?;
    let mut first: Option<BinlogFile> = None;
    for need in needs {
        let Some(file) = file_of(config, server, need, &files)? else { continue };
        if first.as_ref().is_none_or(|known| file < *known) {
            first = Some(file);
        }
    }
    Ok(first)
}

fn file_of(
    config: &RelayConfig,
    server: &mut BinlogServer,
    need: &Need,
    files: &[BinlogFile],
) -> Result<Option<BinlogFile>> {
    match (&need.position.gtid, &need.position.binlog) {
        (Some(set), _) if config.use_gtid => file_of_set(server, set),
        (_, Some(pos)) => {
            let name = pos.file.clone().without_relay();
            Ok(files.iter().find(|file| **file == name).cloned())
        }
        (Some(set), None) => file_of_set(server, set),
        (None, None) => Ok(None),
    }
}

fn available(
    config: &RelayConfig,
    server: &mut BinlogServer,
    need: &Need,
    files: &[BinlogFile],
) -> bool {
    matches!(file_of(config, server, need, files), Ok(Some(_)))
}

/// The newest file before which nothing was done that a set lacks.
fn file_of_set(server: &mut BinlogServer, set: &GtidSet) -> Result<Option<BinlogFile>> {
    for file in server.files()?.into_iter().rev() {
        if server.before(&file)?.is_subset(set) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn newest(server: &mut BinlogServer) -> Result<BinlogFile> {
    server.files()?.pop().ok_or_else(|| {
        let text = format!("{} writes no binlog", server.address());
        Error::new(&codes::NO_MASTER_STATUS, text)
    })
}

/// The directory of a source's relay log: as the source file says, below the state directory unless
/// it is absolute; each source has one of its own unless the file names one.
pub(super) fn directory(config: &RelayConfig) -> layout::RelayDir {
    let place = match &config.plan.dir {
        Some(dir) => dir.clone(),
        None => std::path::Path::new("relay-dir").join(crate::state::file_stem(&config.source)),
    };
    match &config.state_dir {
        Some(dir) => {
            let status = desk::status_path(dir, &config.source);
            RelayDir::new(dir.join(place)).status_at(status)
        }
        None => RelayDir::new(place),
    }
}
