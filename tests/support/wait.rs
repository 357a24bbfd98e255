//! Waiting for a condition with a deadline. The only place of the tests that sleeps in order to
//! wait: everything else asks a question (a position, a row, the end of a process) through here.

use std::time::{Duration, Instant};

/// Between two questions.
const POLL: Duration = Duration::from_millis(20);

/// Asks until the answer is there; `None` when the deadline has passed.
pub fn poll<T>(deadline: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(answer) = question() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(POLL);
    }
}

/// Waits until the condition holds; panics with `what` when the deadline has passed.
pub fn until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let met = poll(deadline, || condition().then_some(()));
    assert!(met.is_some(), "waited {} s in vain until {what}", deadline.as_secs());
}

/// Lets time pass where the passing of time is what is tested (a moment of a kill, the pace of a
/// load, a delayed packet), never in order to wait for something to become true.
pub fn pass(time: Duration) {
    std::thread::sleep(time);
}

/// A time that is promised of a machine with nothing else to do: on a busy one as many times as long as
/// there is more work than its processors can do, and up to five times.
pub fn promised(limit: Duration) -> Duration {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1.0);
    let processors = std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64);
    limit.mul_f64((load / processors).clamp(1.0, 5.0))
}
