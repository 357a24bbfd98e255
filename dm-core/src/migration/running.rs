//! A migration that runs in a thread of its own.

use std::thread::JoinHandle;

use super::{Control, Migration, Outcome, panicked};
use crate::error::{Error, Result, codes};

/// A migration that runs in a thread of its own; made by [`Migration::spawn`].
///
/// Dropping it asks the migration to stop and does not wait, as an embedding service may drop it
/// anywhere; [`Running::join`] waits. Whatever is under way then, nothing is lost or doubled: the
/// next run goes on where this one stood.
pub struct Running {
    control: Control,
    thread: Option<JoinHandle<Result<Outcome>>>,
}

impl Running {
    pub(super) fn start(migration: Migration) -> Result<Self> {
        let control = migration.control();
        let name = format!("dm {}", migration.parts.plan.name);
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || migration.run())
            .map_err(|e| Error::new(&codes::NOT_SET, "cannot start a thread").cause(e))?;
        Ok(Self { control, thread: Some(thread) })
    }

    /// The handle to watch and stop it, also from elsewhere.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// True when [`Running::join`] would not wait.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the migration is done, stopped or failed.
    ///
    /// # Errors
    ///
    /// Those of [`Migration::run`].
    pub fn join(mut self) -> Result<Outcome> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(panicked()),
        }
    }

    /// Asks the migration to stop at the next safe point, and waits for it.
    ///
    /// # Errors
    ///
    /// Those of [`Migration::run`].
    pub fn stop(self) -> Result<Outcome> {
        self.control.stop();
        self.join()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a join there is nobody to stop, and a later run must not be stopped by this.
        if self.thread.is_some() {
            self.control.stop();
        }
    }
}
