//! How many workers are worth it.
//!
//! A target that waits for its disk, or is far away, wants many at a time; one that shares its processors with
//! everybody else does the same work slower, the more it is asked at once. Nobody knows which it is but the target.
//! Method: while it is the target that everybody waits for, half as many are tried; they are kept where as much
//! gets done as before. Twice as many are kept where clearly more gets done. What did not help is tried again
//! later, and later each time. When much less gets done all of a sudden, all of them are used again.

use std::time::{Duration, Instant};

/// Transactions between two looks at the clock.
const LOOK_EVERY: u32 = 64;
/// What is compared: transactions in such a span.
const SPAN: Duration = Duration::from_millis(150);
/// Spans until the first try, and at most.
const FIRST_TRY: u32 = 2;
const LAST_TRY: u32 = 64;
/// Fewer workers are as good when they do so much of what more did.
const AS_GOOD: f64 = 0.98;
/// More workers are better when they do so much more.
const BETTER: f64 = 1.08;
/// Something else has changed when so little is done.
const BROKEN_IN: f64 = 0.5;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Climb {
    most: usize,
    now: usize,
    began: Option<Instant>,
    placed: u32,
    /// Of these, how many found all workers with enough to do.
    full: u32,
    /// Transactions a second with the present number.
    rate: f64,
    /// The number before this one, which is on trial.
    before: Option<usize>,
    /// What was begun with another number is still under way.
    settling: bool,
    left: u32,
    patience: u32,
    up: bool,
}

impl Climb {
    /// Of so many workers.
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            now: most.max(1),
            began: None,
            placed: 0,
            full: 0,
            rate: 0.0,
            before: None,
            settling: true,
            left: FIRST_TRY,
            patience: FIRST_TRY,
            up: false,
        }
    }

    /// Where so many have turned out to be worth it.
    #[cfg(test)]
    pub fn at(now: usize, most: usize) -> Self {
        Self { now, ..Self::new(most) }
    }

    /// So many are worth it.
    pub fn workers(&self) -> usize {
        self.now
    }

    /// A transaction was placed; `full` says that every worker had enough to do before it.
    pub fn placed(&mut self, full: bool) {
        self.placed += 1;
        self.full += u32::from(full);
        if self.most > 1 && self.placed.is_multiple_of(LOOK_EVERY) {
            self.look(Instant::now());
        }
    }

    fn look(&mut self, now: Instant) {
        let Some(began) = self.began else { return self.begin(now) };
        let span = now.duration_since(began);
        if span < SPAN {
            return;
        }
        let busy = self.full >= self.placed - self.placed / 4;
        let rate = f64::from(self.placed) / span.as_secs_f64();
        self.begin(now);
        if !busy {
            // It is somebody else who is waited for: nothing can be learnt.
            self.now = self.before.take().unwrap_or(self.now);
            self.settling = true;
        } else if !std::mem::take(&mut self.settling) {
            self.learn(rate);
        }
    }

    fn begin(&mut self, now: Instant) {
        (self.began, self.placed, self.full) = (Some(now), 0, 0);
    }

    fn learn(&mut self, rate: f64) {
        match self.before.take() {
            Some(before) if !self.helped(before, rate) => {
                self.now = before;
                self.up = !self.up;
                self.patience = (self.patience * 2).min(LAST_TRY);
                self.settling = true;
            }
            Some(_) => {
                self.rate = rate;
                self.patience = FIRST_TRY;
            }
            None if rate < self.rate * BROKEN_IN => {
                *self = Self { began: self.began, ..Self::new(self.most) };
                return;
            }
            None => {
                self.rate = if self.rate > 0.0 { (self.rate + rate) / 2.0 } else { rate };
                self.left = self.left.saturating_sub(1);
                if self.left == 0 {
                    self.attempt();
                }
                return;
            }
        }
        self.left = self.patience;
    }

    fn helped(&self, before: usize, rate: f64) -> bool {
        rate >= self.rate * if self.now < before { AS_GOOD } else { BETTER }
    }

    fn attempt(&mut self) {
        let next =
            |up: bool| if up { (self.now * 2).min(self.most) } else { (self.now / 2).max(1) };
        if next(self.up) == self.now {
            self.up = !self.up;
        }
        let next = next(self.up);
        if next != self.now {
            self.before = Some(std::mem::replace(&mut self.now, next));
            self.settling = true;
        }
        self.left = self.patience;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs for so many seconds at a target of which `rate` tells what it does with so many workers.
    fn run(climb: &mut Climb, seconds: u64, full: bool, rate: impl Fn(usize) -> f64) -> usize {
        let mut now = climb.began.unwrap_or_else(Instant::now);
        let end = now + Duration::from_secs(seconds);
        while now < end {
            climb.placed += LOOK_EVERY;
            climb.full += if full { LOOK_EVERY } else { 0 };
            now += Duration::from_secs_f64(f64::from(LOOK_EVERY) / rate(climb.workers()));
            climb.look(now);
        }
        climb.before.unwrap_or(climb.workers())
    }

    #[test]
    fn a_target_on_the_same_processors_is_asked_by_few() {
        let shared = |workers: usize| 9_000.0 - 250.0 * workers as f64;
        let mut climb = Climb::new(16);
        assert_eq!(run(&mut climb, 5, true, shared), 1);
        let two = |workers: usize| if workers == 1 { 6_000.0 } else { shared(workers) };
        assert_eq!(run(&mut Climb::new(16), 5, true, two), 2);
    }

    #[test]
    fn a_target_that_waits_for_its_disk_is_asked_by_all() {
        let durable = |workers: usize| 300.0 * workers as f64;
        let mut climb = Climb::new(16);
        assert_eq!(run(&mut climb, 60, true, durable), 16);
        // Trying costs little.
        let mut tried = 0;
        for _ in 0..1_000 {
            tried += u32::from(climb.now != 16);
            run(&mut climb, 1, true, durable);
        }
        assert!(tried < 100, "{tried} of 1000 seconds");
    }

    #[test]
    fn who_has_nothing_to_do_learns_nothing() {
        assert_eq!(run(&mut Climb::new(8), 10, false, |_| 500.0), 8);
        assert_eq!(run(&mut Climb::new(1), 10, true, |_| 500.0), 1);
    }

    #[test]
    fn what_changes_is_learnt_anew() {
        let mut climb = Climb::new(16);
        assert_eq!(run(&mut climb, 5, true, |_| 9_000.0), 1);
        assert_eq!(run(&mut climb, 30, true, |workers| 200.0 * workers as f64), 16);
    }
}
