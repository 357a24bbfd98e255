//! The door for other processes: takes their letters out of the state file and answers them.
//!
//! It has a thread of its own that never waits for a server, only for the state file's lock, so a
//! letter is taken within a moment whatever the sources are doing. A letter that was written when
//! no process ran the task is not carried out later, when nobody expects it any more: it is
//! answered `Interrupted`, and whoever wrote it may write again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::command::{Command, Reply};
use super::control::{Control, Pending};
use super::refusal;
use crate::error::Result;
use crate::state::{Command as Letter, CommandState, StateStore};

/// Between two looks into the state file; one is a single pragma.
const LOOK: Duration = Duration::from_millis(25);
/// A command that is not carried out by then is answered with how far it is.
const PATIENCE: Duration = Duration::from_secs(12);

struct Open {
    id: i64,
    pending: Pending,
    since: Instant,
}

/// Answers letters until `done`, then answers what is open.
pub(super) fn serve(state: &Arc<StateStore>, control: &Control, done: &AtomicBool) {
    if let Err(error) = put_off(state) {
        log::warn!("commands of before the start are not answered: {error}");
    }
    let mut open: Vec<Open> = Vec::new();
    loop {
        // Asked first: what is answered last sees how everything ended.
        let last = done.load(Ordering::Relaxed);
        match state.take_commands() {
            Ok(letters) => open.extend(letters.iter().filter_map(|l| take(state, control, l))),
            Err(error) => log::warn!("commands cannot be read: {error}"),
        }
        open.retain(|o| {
            let late = last || o.since.elapsed() >= PATIENCE;
            match control.answer(&o.pending, late) {
                Some(reply) => !send(state, o.id, &reply),
                None => true,
            }
        });
        if last {
            return;
        }
        control.wait_changed(LOOK);
        // The condition is signalled at every change of a counter, too.
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn put_off(state: &StateStore) -> Result {
    for letter in state.take_commands()? {
        let reply = Reply::refuse(refusal::nobody().to_string());
        state.reply(letter.id, CommandState::Interrupted, &reply.to_json())?;
    }
    Ok(())
}

fn take(state: &StateStore, control: &Control, letter: &Letter) -> Option<Open> {
    match Command::from_letter(&letter.verb, &letter.args) {
        Ok(command) => {
            log::info!("command {}: {} {}", letter.id, letter.verb, letter.args);
            let pending = control.begin_command(&command);
            Some(Open { id: letter.id, pending, since: Instant::now() })
        }
        Err(error) => {
            send(state, letter.id, &Reply::refuse(error.to_string()));
            None
        }
    }
}

/// True when nothing more is to be done about the letter.
fn send(state: &StateStore, id: i64, reply: &Reply) -> bool {
    let word = if reply.is_ok() { CommandState::Done } else { CommandState::Failed };
    match state.reply(id, word, &reply.to_json()) {
        Ok(()) => true,
        Err(error) => {
            log::warn!("the answer to command {id} is not written: {error}");
            !error.is_transient()
        }
    }
}
