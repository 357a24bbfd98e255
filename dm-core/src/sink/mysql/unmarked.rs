//! A target whose user may not keep marks: what is left of the fence.
//!
//! Named locks need no right, so a writer still excludes its predecessor in the same slot. Who had
//! a slot is not written down anywhere: a run asks the server about the lock of every number that
//! a writer may have had. What does not hold: a task of the same name with another state file is
//! kept out of a slot at a time, but not noticed. A target without named locks as well (a TiDB before 6.2) keeps nothing
//! out, and is refused unless `at-least-once: allow` is set.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Shared;
use super::fence::Fence;
use super::marks::{Earlier, STATEMENTS, literal, lock_name, pass_lock, take_lock};
use super::session::Session;
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::sink::{Guarantees, Slot};

/// Writers of one lane that are looked for: more than anybody asks for.
const SLOTS: u32 = 1_024;

impl Shared {
    /// True while the server has not refused marks.
    pub(super) fn marked(&self) -> bool {
        self.marked.load(Ordering::Acquire)
    }

    /// What holds.
    pub(super) fn guarantees(&self) -> Guarantees {
        if self.marked() {
            return Guarantees::exact();
        }
        let fenced = self.fence().is_ok_and(|fence| fence == Fence::Locks);
        Guarantees { fenced, ..Guarantees::none() }
    }

    /// The server has refused marks for lack of a right.
    ///
    /// # Errors
    ///
    /// When nothing would keep earlier writers out.
    pub(super) fn do_without_marks(&self, refusal: &Error) -> Result {
        log::warn!(
            "the target takes no marks, so that changes arrive at least once and not exactly once: {refusal}"
        );
        self.marked.store(false, Ordering::Release);
        if self.fence()? == Fence::Locks || self.may_repeat {
            return Ok(());
        }
        Err(Error::new(
            &codes::AT_LEAST_ONCE,
            "the target has no named locks and takes no marks: nothing would keep out what a killed \
             process sent last",
        ))
    }

    /// Makes a connection the only writer of a slot, where there are locks.
    ///
    /// # Errors
    ///
    /// When an earlier writer does not end in time, or `stop` became true.
    pub(super) fn lock_slot(
        &self,
        session: &mut Session,
        slot: &Slot,
        stop: &AtomicBool,
    ) -> Result {
        match self.fence()? {
            Fence::Locks => {
                let name = lock_name(&slot.task, &slot.lane, slot.worker);
                take_lock(session, &name, Earlier::Killed, stop)
            }
            Fence::Marks => Ok(()),
        }
    }

    /// Waits until no earlier writer of a lane holds a slot, and no statement of it runs.
    ///
    /// # Errors
    ///
    /// As [`Shared::lock_slot`].
    pub(super) fn shut_out_by_locks(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
        stop: &AtomicBool,
    ) -> Result {
        if self.fence()? == Fence::Marks {
            return Ok(());
        }
        let names: Vec<String> = (0..SLOTS).map(|n| lock_name(task, lane, n)).collect();
        let asked: Vec<String> =
            names.iter().map(|name| format!("IS_FREE_LOCK({})", literal(name))).collect();
        let free = session.rows(&format!("SELECT {}", asked.join(",")))?;
        let free = free.into_iter().next().unwrap_or_default();
        for (name, free) in names.iter().zip(free) {
            if free.as_deref() != Some("1") {
                pass_lock(session, name, Earlier::Killed, stop)?;
            }
        }
        let name = lock_name(task, lane, STATEMENTS);
        pass_lock(session, &name, Earlier::Waited, stop)
    }
}
