//! Progress on the terminal, as plain lines, or as JSON lines.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dm_core::{Control, SourceStatus, Unit};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often the picture is drawn anew.
const STEP: Duration = Duration::from_millis(100);
/// How often a plain line is printed.
const LINE: Duration = Duration::from_secs(5);
/// How often a JSON line is printed.
const JSON: Duration = Duration::from_secs(1);

/// Shows how a running migration stands.
pub struct Progress {
    json: bool,
    bars: Option<Vec<ProgressBar>>,
    rates: Vec<(u64, Instant, f64)>,
}

impl Progress {
    pub fn new(json: bool, control: Control) -> Self {
        let sources = control.status().sources.len();
        let bars = (!json && std::io::stderr().is_terminal()).then(|| {
            let multi = MultiProgress::new();
            (0..sources)
                .map(|_| {
                    let bar = multi.add(ProgressBar::new(1));
                    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:24} {msg}") {
                        bar.set_style(style);
                    }
                    bar
                })
                .collect()
        });
        Self { json, bars, rates: vec![(0, Instant::now(), 0.0); sources] }
    }

    /// Draws until the migration is done; passes the first interrupt on to it.
    pub fn watch(mut self, done: &AtomicBool, interrupts: &AtomicUsize, control: &Control) {
        let mut last = Instant::now();
        let mut told = false;
        loop {
            let finished = done.load(Ordering::Relaxed);
            if !told && interrupts.load(Ordering::Relaxed) > 0 {
                told = true;
                control.stop();
                eprintln!("stopping at a safe point; press Ctrl-C again to stop at once");
            }
            let status = control.status();
            for (i, source) in status.sources.iter().enumerate() {
                self.rate(i, source);
            }
            let every = if self.json { JSON } else { LINE };
            let due = finished || last.elapsed() >= every;
            if self.bars.is_some() {
                self.draw(&status.sources);
            }
            if due && (self.json || self.bars.is_none()) {
                last = Instant::now();
                self.print(&status.sources);
            }
            if finished {
                if let Some(bars) = &self.bars {
                    bars.iter().for_each(|b| b.abandon());
                }
                return;
            }
            std::thread::sleep(STEP);
        }
    }

    fn rate(&mut self, i: usize, source: &SourceStatus) {
        let rows = rows(source);
        if let Some((before, at, rate)) = self.rates.get_mut(i) {
            let seconds = at.elapsed().as_secs_f64();
            if seconds >= 1.0 {
                *rate = rows.saturating_sub(*before) as f64 / seconds;
                *before = rows;
                *at = Instant::now();
            }
        }
    }

    fn draw(&self, sources: &[SourceStatus]) {
        let Some(bars) = &self.bars else { return };
        for (i, (bar, source)) in bars.iter().zip(sources).enumerate() {
            bar.set_prefix(source.source.clone());
            let total = source.copy.rows_estimated.max(1);
            let at = if source.unit == Unit::Load { source.copy.rows.min(total) } else { total };
            bar.set_length(total);
            bar.set_position(at);
            bar.set_message(self.words(i, source));
        }
    }

    fn print(&self, sources: &[SourceStatus]) {
        let mut out = std::io::stdout().lock();
        for (i, source) in sources.iter().enumerate() {
            let line = if self.json {
                source.to_json().to_string()
            } else {
                format!("{}: {}", source.source, self.words(i, source))
            };
            // Nobody reads any more: the migration goes on all the same.
            let _ = writeln!(out, "{line}");
        }
    }

    fn words(&self, i: usize, source: &SourceStatus) -> String {
        let rate = self.rates.get(i).map_or(0.0, |r| r.2);
        let mut words = match source.unit {
            Unit::Load => {
                let c = &source.copy;
                let left = c.rows_estimated.saturating_sub(c.rows);
                let eta = if rate > 1.0 {
                    format!(", {} left", span(left as f64 / rate))
                } else {
                    String::new()
                };
                format!(
                    "copy: {}/{} tables, {} of about {} rows, {}, {rate:.0} rows/s{eta}",
                    c.tables_done,
                    c.tables,
                    c.rows,
                    c.rows_estimated,
                    bytes(c.bytes)
                )
            }
            Unit::Sync => {
                let s = &source.stream;
                format!(
                    "sync: {} transactions, {} rows ({rate:.0}/s), {} DDL, {} s behind, {}",
                    s.txns,
                    s.inserted + s.updated + s.deleted,
                    s.ddls,
                    source.lag_seconds,
                    source.position
                )
            }
            _ => "starting".to_owned(),
        };
        if let Some(error) = &source.error {
            words.push_str("; ");
            words.push_str(error);
        }
        words
    }
}

fn rows(source: &SourceStatus) -> u64 {
    match source.unit {
        Unit::Load => source.copy.rows,
        _ => source.stream.inserted + source.stream.updated + source.stream.deleted,
    }
}

fn span(seconds: f64) -> String {
    let s = seconds as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min", s / 60),
        _ => format!("{} h {} min", s / 3600, s / 60 % 60),
    }
}

fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}
