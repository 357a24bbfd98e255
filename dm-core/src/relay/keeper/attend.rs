//! The threads beside the one that pulls. One never waits for a server: it obeys commands, writes the
//! status, and removes old files. The other asks the server where its binlog ends; nobody waits for
//! it.

use std::time::{Duration, Instant};

use super::super::desk::{RelayStatus, Wanted};
use super::super::layout::SubDir;
use super::super::purge;
use super::{LOOK, Shared};
use crate::error::Error;
use crate::position::{BinlogPos, GtidSet};
use crate::source::mysql::BinlogServer;
use crate::state::{Stage, StoredError};

/// Between two writes of the status.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);
/// Between two questions to the server.
const ASK: Duration = Duration::from_secs(5);

/// The thread that looks after everything else.
pub(super) fn attend(shared: &Shared) {
    let mut written: Option<Instant> = None;
    let mut purged = Instant::now();
    let mut told = false;
    while !shared.is_over() {
        match shared.dir.wanted() {
            Ok(wanted) => {
                told = false;
                obey(shared, wanted);
            }
            Err(error) if !told => {
                told = true;
                log::warn!("{error}");
            }
            Err(_) => {}
        }
        if shared.lock().pulls {
            if written.is_none_or(|at| at.elapsed() >= STATUS_INTERVAL) {
                write_status(shared);
                written = Some(Instant::now());
            }
            if purged.elapsed() >= shared.config.plan.purge.interval {
                purged = Instant::now();
                let done = purge::by_rules(&shared.config, &shared.dir);
                let said = done.unwrap_or_else(|error| error.to_string());
                if !said.is_empty() {
                    log::info!("relay of source {}: {said}", shared.config.source);
                    shared.lock().purged = said;
                }
            }
        }
        // Not the condition: it is signalled with every group.
        std::thread::sleep(LOOK);
    }
}

fn obey(shared: &Shared, wanted: Option<Wanted>) {
    let mut inner = shared.lock();
    if inner.wanted == wanted {
        return;
    }
    inner.wanted = wanted;
    inner.kicked = true;
    inner.error = None;
    drop(inner);
    shared.changed.notify_all();
}

/// The thread that asks where the server's binlog ends.
pub(super) fn ask_end(shared: &Shared) {
    let mut asked: Option<Instant> = None;
    while !shared.is_over() {
        let due = asked.is_none_or(|at| at.elapsed() >= ASK);
        if due && shared.lock().pulls {
            asked = Some(Instant::now());
            let end = BinlogServer::open(&shared.config.conn).and_then(|mut server| server.end());
            shared.lock().master = end.ok();
        }
        std::thread::sleep(LOOK);
    }
}

pub(super) fn write_status(shared: &Shared) {
    let status = status(shared);
    shared.lock().due = true;
    let written = shared.dir.set_status(&status);
    let told = std::mem::replace(&mut shared.lock().unwritten, written.is_err());
    if let Err(error) = written
        && !told
    {
        log::warn!("the status of the relay is not written: {error}");
    }
}

fn status(shared: &Shared) -> RelayStatus {
    let stage = match shared.stage() {
        _ if shared.is_over() => Stage::Stopped,
        stage => stage,
    };
    let inner = shared.lock();
    let master = inner.master.clone().unwrap_or_default();
    let text = |set: Option<&GtidSet>| set.map(GtidSet::to_string).unwrap_or_default();
    let place = |pos: Option<&BinlogPos>| pos.map(BinlogPos::to_string).unwrap_or_default();
    let (sub, done) = inner.progress.clone().unzip();
    let error = inner.error.clone().filter(|_| stage == Stage::Running);
    let caught_up = match (&inner.end, &master.binlog) {
        (Some(here), Some(there)) => here >= there,
        _ => false,
    };
    RelayStatus {
        source: shared.config.source.clone(),
        master_binlog: place(master.binlog.as_ref()),
        master_binlog_gtid: text(master.gtid.as_ref()),
        relay_sub_dir: sub.as_ref().map(SubDir::to_string).unwrap_or_default(),
        relay_binlog: place(inner.end.as_ref()),
        relay_binlog_gtid: text(done.as_ref()),
        relay_catch_up_master: caught_up,
        stage: if error.is_some() { Stage::Paused } else { stage }.as_str().to_owned(),
        resumable: error.as_ref().is_some_and(Error::is_transient),
        error: error.as_ref().map(StoredError::of),
        purged: inner.purged.clone(),
        meters: shared.meters.told(),
    }
}
