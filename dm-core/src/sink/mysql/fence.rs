//! How earlier writers are shut out: by named locks, or by the marks themselves.
//!
//! Guarantee: when a successor has its slot, nothing that an earlier writer of the slot has sent, or
//! will send, is committed. Obstacle: the last packet of a killed client goes on running at the
//! server.
//!
//! *Locks*: a writing connection holds a named lock for its life. The server releases it when the
//! connection is gone and its last statement has ended.
//!
//! *Marks*, where a server has no such locks (a TiDB before 6.2; some say so, others grant a lock to
//! everybody): the row of a slot in `dm_apply_mark` names its owner by a number of the connection's
//! own. Each transaction changes that row (or locks it, where it has nothing to say in it: a chunk)
//! under the condition that the number is still there, finds out how many rows that were, and
//! commits only after exactly one. Who takes a slot over writes another number. Where transactions
//! lock (MySQL, MariaDB) the two wait for each other; where they are optimistic (TiDB) the later
//! commit meets a write conflict, because both have changed or locked the row. In either case one
//! of the two comes to nothing: an earlier transaction is in before the successor reads the marks,
//! or never.
//!
//! A statement that changes structures has no mark to look at: there the server's list of
//! connections tells whether an earlier one still runs.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Shared;
use super::marks::{
    Earlier, GIVE_UP_AFTER, KILL_AFTER, STATEMENTS, lock_name, pass_lock, take_lock,
};
use super::session::Session;
use crate::ddl::Flavor;
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::sink::Slot;

/// How a target shuts out earlier writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fence {
    /// By named locks.
    Locks,
    /// By the owner's number in the mark.
    Marks,
}

/// A lock was not had in time.
const LOCK_WAIT: u16 = 1205;

/// A number for a connection: its id at the server, by which it can be killed, and chance.
fn owner(session: &Session) -> u64 {
    let chance = RandomState::new().build_hasher().finish();
    (chance << 32) | (session.id() & u64::from(u32::MAX))
}

/// The connection of an owner.
fn connection(owner: u64) -> u64 {
    owner & u64::from(u32::MAX)
}

/// A transaction is not committed because its slot belongs to somebody else by now.
pub(super) fn taken_over(slot: &Slot) -> Error {
    Error::new(
        &codes::FENCE_HELD,
        format!("writer {} of lane {} has been replaced by another one", slot.worker, slot.lane),
    )
}

impl Shared {
    /// How earlier writers are shut out at this target; found out once.
    pub(super) fn fence(&self) -> Result<Fence> {
        if let Some(fence) = self.fence.get() {
            return Ok(*fence);
        }
        let found = match self.version()?.flavor {
            Flavor::TiDb => self.probe()?,
            _ => Fence::Locks,
        };
        if found == Fence::Marks && self.fence.set(found).is_ok() {
            log::info!(
                "the target has no named locks (a TiDB before 6.2): earlier writers are shut out by \
                 the marks, and each batch takes one more round trip"
            );
        }
        Ok(*self.fence.get_or_init(|| found))
    }

    /// Asks on two connections for the same lock.
    fn probe(&self) -> Result<Fence> {
        let mut first = self.row_session()?;
        let name = format!("'dm:probe:{:x}'", owner(&first));
        let ask = format!("SELECT GET_LOCK({name},0)");
        let got = match first.value(&ask) {
            // Not a function of this server, or one that it does not carry out.
            Err(e) if !e.is_transient() && e.server_error().is_some() => return Ok(Fence::Marks),
            other => other?,
        };
        let second = self.row_session()?.value(&ask)?;
        match (got.as_deref(), second.as_deref()) {
            (Some("1"), Some("0")) => {
                first.value(&format!("SELECT RELEASE_LOCK({name})"))?;
                Ok(Fence::Locks)
            }
            _ => Ok(Fence::Marks),
        }
    }

    /// Makes a connection the writer of a slot; its number as the owner, where marks need one.
    pub(super) fn take_slot(
        &self,
        session: &mut Session,
        slot: &Slot,
        stop: &AtomicBool,
    ) -> Result<Option<u64>> {
        let Slot { task, lane, worker, epoch } = slot;
        let number = match self.fence()? {
            Fence::Locks => {
                let name = lock_name(task, lane, *worker);
                take_lock(session, &name, Earlier::Killed, stop)?;
                None
            }
            Fence::Marks => Some(owner(session)),
        };
        let id = number.unwrap_or_else(|| session.id());
        let register = self.marks.register(task, lane, *epoch, *worker, id);
        let Some(number) = number else {
            session.exec(&register)?;
            return Ok(None);
        };
        self.claim(session, &register, task, lane, stop)?;
        // The mark of a later run: this writer is one of an earlier.
        if self.marks.last_epoch(session, task, lane)? > *epoch {
            return Err(taken_over(slot));
        }
        Ok(Some(number))
    }

    /// Waits until no earlier writer and no statement of a lane can change anything any more.
    pub(super) fn shut_out(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
        stop: &AtomicBool,
    ) -> Result {
        if self.fence()? == Fence::Marks {
            self.wait_for_statement(session, task, lane, stop)?;
            let number = owner(session);
            let claim = self.marks.own_all(task, lane, number);
            return self.claim(session, &claim, task, lane, stop);
        }
        for worker in self.marks.workers(session, task, lane)? {
            let name = lock_name(task, lane, worker);
            pass_lock(session, &name, Earlier::Killed, stop)?;
        }
        let name = lock_name(task, lane, STATEMENTS);
        pass_lock(session, &name, Earlier::Waited, stop)
    }

    /// Waits until an earlier statement of a lane has ended, and makes the next one wait for this
    /// connection's.
    pub(super) fn take_statements(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
    ) -> Result {
        let stop = AtomicBool::new(false);
        if self.fence()? == Fence::Locks {
            let name = lock_name(task, lane, STATEMENTS);
            return take_lock(session, &name, Earlier::Waited, &stop);
        }
        self.wait_for_statement(session, task, lane, &stop)?;
        let number = owner(session);
        session.exec(&self.marks.register(task, lane, 0, STATEMENTS, number)).map(|_| ())
    }

    /// Where there are no locks, the list of connections tells whether a statement still runs.
    fn wait_for_statement(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
        stop: &AtomicBool,
    ) -> Result {
        let Some(number) = self.marks.owner(session, task, lane, 0, STATEMENTS)? else {
            return Ok(());
        };
        let sql = format!(
            "SELECT COUNT(*),SLEEP(0.1) FROM information_schema.processlist \
             WHERE ID={} AND COALESCE(INFO,'')<>''",
            connection(number)
        );
        while session.value(&sql)?.is_some_and(|running| running != "0") {
            if stop.load(Ordering::Relaxed) {
                return Err(waiting_stopped());
            }
        }
        Ok(())
    }

    /// Changes the owner of a lane's marks. A transaction of theirs that is open and has locked its
    /// mark is waited for, and killed after a while.
    fn claim(
        &self,
        session: &mut Session,
        sql: &str,
        task: &str,
        lane: &LaneId,
        stop: &AtomicBool,
    ) -> Result {
        let began = Instant::now();
        let mut killed = false;
        session.exec("SET SESSION innodb_lock_wait_timeout=1")?;
        loop {
            match session.exec(sql) {
                Err(e) if e.server_error() == Some(LOCK_WAIT) => {}
                other => {
                    session.exec("SET SESSION innodb_lock_wait_timeout=DEFAULT")?;
                    return other.map(|_| ());
                }
            }
            if stop.load(Ordering::Relaxed) {
                return Err(waiting_stopped());
            }
            if began.elapsed() > GIVE_UP_AFTER {
                return Err(Error::new(
                    &codes::FENCE_HELD,
                    format!(
                        "a transaction of an earlier writer is still open after {} s",
                        began.elapsed().as_secs()
                    ),
                ));
            }
            if began.elapsed() > KILL_AFTER && !std::mem::replace(&mut killed, true) {
                for number in self.marks.owners(session, task, lane)? {
                    let id = connection(number);
                    log::warn!("killing connection {id} at the target: an earlier writer");
                    // It may be gone by now, or not ours to kill: its lock decides.
                    let _ = session.exec(&format!("KILL {id}"));
                }
            }
        }
    }
}

fn waiting_stopped() -> Error {
    Error::new(&codes::STOPPED, "stopped while waiting for an earlier writer")
}
