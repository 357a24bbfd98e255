//! What one source of a running migration is wanted to do, and what it does: pure transitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::command::{Safety, Verb};
use super::refusal;
use super::status::SourceStatus;
use crate::error::Result;
use crate::state::Stage;

/// What one source is wanted to do, and what it does.
pub(super) struct Lot {
    /// `Running`, `Paused` or `Stopped`.
    pub desired: Stage,
    pub doing: Doing,
    /// The flag of the present attempt.
    pub stop: Arc<AtomicBool>,
    /// The resume that the next attempt follows.
    pub resume: Option<Safety>,
    /// The present attempt has reached the source and works.
    pub moved: bool,
    /// What the resume said.
    pub note: String,
}

/// What the thread of a source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It is about to begin an attempt.
    Due,
    Working,
    /// It waits before it tries again by itself.
    Waiting,
    /// It waits for a command: paused, stopped, or at an error that needs a person.
    Rest,
    /// Finished, or its thread has ended.
    Over,
}

impl Lot {
    pub fn new(desired: Stage) -> Self {
        Self {
            desired,
            doing: if desired == Stage::Running { Doing::Due } else { Doing::Rest },
            stop: Arc::default(),
            resume: None,
            moved: false,
            note: String::new(),
        }
    }

    /// True as long as the source may go on in this run without being started.
    pub fn is_open(&self) -> bool {
        match self.doing {
            Doing::Over => false,
            Doing::Due | Doing::Working | Doing::Waiting => true,
            Doing::Rest => self.desired != Stage::Stopped,
        }
    }

    pub fn raise(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Lot {
    /// Notes what a command wants, or says why it cannot be had.
    pub fn wish(&mut self, verb: &Verb) -> Result {
        match (verb, self.doing, self.desired) {
            // Written down already; it holds from the next attempt on.
            (Verb::CancelAdd(_) | Verb::Structures(_), ..) => {}
            (Verb::Stop, ..) => {
                self.desired = Stage::Stopped;
                self.raise();
            }
            (Verb::Add(_), Doing::Rest | Doing::Due | Doing::Waiting | Doing::Working, _) => {}
            (_, Doing::Over, _) => {
                return Err(refusal::finished(verb));
            }
            (Verb::Start, Doing::Rest, Stage::Stopped) => self.go(None),
            (Verb::Start, ..) => {
                return Err(refusal::started());
            }
            (_, Doing::Rest | Doing::Due | Doing::Waiting, Stage::Stopped) => {
                return Err(refusal::stopped(verb));
            }
            (Verb::Pause, ..) => {
                self.desired = Stage::Paused;
                self.raise();
                if self.doing == Doing::Due {
                    self.doing = Doing::Rest;
                }
            }
            // It is at work; there is nothing to go on from.
            (Verb::Resume(_), Doing::Working | Doing::Due, Stage::Running) => {}
            (Verb::Resume(safety), ..) => self.go(Some(safety.clone())),
        }
        Ok(())
    }

    fn go(&mut self, safety: Option<Safety>) {
        self.desired = Stage::Running;
        self.resume = safety;
        self.note.clear();
        self.moved = false;
        if matches!(self.doing, Doing::Rest | Doing::Waiting) {
            self.doing = Doing::Due;
        }
    }

    /// Whether what was wanted has come, and what there is to say; `None` while it is on its way.
    pub fn outcome(&self, verb: &Verb, status: &SourceStatus) -> Option<(bool, String)> {
        match (verb, self.doing) {
            (Verb::Add(_), doing) => {
                let waits = matches!(doing, Doing::Rest | Doing::Waiting);
                let when = if waits { "when the source goes on" } else { "now" };
                Some((true, format!("it is copied {when}, and then joins the task")))
            }
            (Verb::CancelAdd(_) | Verb::Structures(_), _) => Some((true, self.note.clone())),
            (_, Doing::Over) => Some((true, String::new())),
            (Verb::Pause | Verb::Stop, Doing::Rest) => Some((true, String::new())),
            (Verb::Pause | Verb::Stop, _) => None,
            (Verb::Resume(_) | Verb::Start, Doing::Working) if self.moved => {
                Some((true, self.note.clone()))
            }
            // A later command paused or stopped it again.
            (Verb::Resume(_) | Verb::Start, _) if self.desired != Stage::Running => {
                Some((false, refusal::superseded().to_string()))
            }
            (Verb::Resume(_) | Verb::Start, Doing::Waiting) => {
                let error = status.error.as_deref().unwrap_or_default().trim_end_matches('.');
                Some((false, format!("{error}. It is tried again by itself.")))
            }
            // It is at an error that needs a person.
            (Verb::Resume(_) | Verb::Start, Doing::Rest) => {
                Some((false, status.error.clone().unwrap_or_default()))
            }
            (Verb::Resume(_) | Verb::Start, Doing::Working | Doing::Due) => None,
        }
    }

    pub fn unfinished(&self, verb: &Verb) -> &'static str {
        match verb {
            Verb::Pause => "it is pausing: a server has not answered yet; ask query-status",
            Verb::Stop => "it is stopping: a server has not answered yet; ask query-status",
            _ => "it is starting: a server has not answered yet; ask query-status",
        }
    }
}
