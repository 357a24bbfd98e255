//! Progress: bars on a terminal, plain lines elsewhere, JSON lines for programs.

mod bars;
mod events;
mod words;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dm_core::{Control, SourceStatus};

use self::bars::Bars;
pub use self::events::Events;
use self::words::Rate;
use crate::out;

/// How often the picture is drawn anew, and a stop noticed.
const STEP: Duration = Duration::from_millis(100);
/// How often a plain line is printed.
const LINE: Duration = Duration::from_secs(5);
/// How often a status event is printed.
const EVENT: Duration = Duration::from_secs(1);

/// How progress is shown.
enum Shown {
    Bars(Bars),
    Lines,
    Events,
}

/// Shows how a running migration stands.
pub struct Progress {
    shown: Shown,
    rates: Vec<Rate>,
    last: Instant,
}

impl Progress {
    /// `json` asks for events; otherwise a terminal gets bars and anything else lines.
    pub fn new(json: bool, control: &Control) -> Self {
        let sources = control.status().sources.len();
        let shown = match (json, Bars::new(sources)) {
            (true, _) => Shown::Events,
            (false, Some(bars)) => Shown::Bars(bars),
            (false, None) => Shown::Lines,
        };
        Self { shown, rates: vec![Rate::default(); sources], last: Instant::now() }
    }

    /// Shows until the migration is done; passes the first interrupt on to it.
    pub fn watch(mut self, done: &AtomicBool, interrupts: &AtomicUsize, control: &Control) {
        let mut told = false;
        loop {
            // Asked before the status, so that the last picture is the last status.
            let finished = done.load(Ordering::Relaxed);
            if !told && interrupts.load(Ordering::Relaxed) > 0 {
                told = true;
                control.stop();
                self.tell("stopping at a safe point; press Ctrl-C again to stop at once");
            }
            let status = control.status();
            for (rate, source) in self.rates.iter_mut().zip(&status.sources) {
                rate.measure(source, Instant::now());
            }
            self.show(&status.sources, finished);
            if finished {
                return;
            }
            std::thread::sleep(STEP);
        }
    }

    fn tell(&self, text: &str) {
        match &self.shown {
            Shown::Bars(bars) => bars.beside(|| out::tell(text)),
            Shown::Lines | Shown::Events => out::tell(text),
        }
    }

    fn show(&mut self, sources: &[SourceStatus], finished: bool) {
        let every = match &self.shown {
            Shown::Bars(_) => Duration::ZERO,
            Shown::Lines => LINE,
            Shown::Events => EVENT,
        };
        if !finished && self.last.elapsed() < every {
            return;
        }
        self.last = Instant::now();
        match &self.shown {
            Shown::Bars(bars) => bars.draw(sources, &self.rates, finished),
            Shown::Events => sources.iter().for_each(Events::status),
            Shown::Lines => {
                for (source, rate) in sources.iter().zip(&self.rates) {
                    // Nobody reads any more: the migration goes on all the same.
                    let _ = out::say(&format!("{}: {}", source.source, rate.words(source)));
                }
            }
        }
    }
}
