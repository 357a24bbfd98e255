//! How much of a processor this process takes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shorter spans tell nothing: the system counts in hundredths of a second.
const SPAN_MIN: Duration = Duration::from_secs(1);
/// What the system counts in (`USER_HZ`, the same on all its architectures).
const TICKS_PER_SECOND: f64 = 100.0;

/// What was seen when somebody asked last.
#[derive(Debug, Default)]
pub struct Cpu(Mutex<Option<Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Instant,
    ticks: u64,
    percent: Option<f64>,
}

impl Cpu {
    /// Percent of one processor's time since somebody asked before; `None` where the system does not tell, and
    /// the first time.
    pub fn percent(&self) -> Option<f64> {
        let ticks = ticks(&std::fs::read_to_string("/proc/self/stat").ok()?)?;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let percent = match *last {
            None => None,
            Some(seen) => {
                let span = now.duration_since(seen.at);
                if span < SPAN_MIN {
                    return seen.percent;
                }
                let took = ticks.saturating_sub(seen.ticks) as f64 / TICKS_PER_SECOND;
                Some(took * 100.0 / span.as_secs_f64())
            }
        };
        *last = Some(Seen { at: now, ticks, percent });
        percent
    }
}

/// Time of a process in user and system mode, of the text of its `stat` (proc(5), fields 14 and 15).
fn ticks(stat: &str) -> Option<u64> {
    // The name of the program is in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let stat = "7 (a) b 1) S 1 7 7 0 -1 4194304 100 0 0 0 25 17 0 0 20 0 1 0 5 0 0";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a"), None);
    }
}
