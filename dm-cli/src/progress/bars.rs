//! A bar for each source, on a terminal.

use std::io::IsTerminal;

use dm_core::{SourceStatus, Unit};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::words::Rate;
use crate::logger;

/// A bar for each source.
pub struct Bars {
    multi: MultiProgress,
    bars: Vec<ProgressBar>,
}

impl Bars {
    /// Bars on standard error; `None` when that is no terminal.
    pub fn new(sources: usize) -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let multi = MultiProgress::new();
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3}%\n  {wide_msg}");
        let bars = (0..sources)
            .map(|_| {
                let bar = multi.add(ProgressBar::new(1));
                if let Ok(style) = &style {
                    bar.set_style(style.clone());
                }
                bar
            })
            .collect();
        logger::beside(multi.clone());
        Some(Self { multi, bars })
    }

    /// Prints something while the bars are out of the way.
    pub fn beside(&self, print: impl FnOnce()) {
        self.multi.suspend(print);
    }

    /// Draws how the sources stand; `last` leaves the picture where it is.
    pub fn draw(&self, sources: &[SourceStatus], rates: &[Rate], last: bool) {
        for ((bar, source), rate) in self.bars.iter().zip(sources).zip(rates) {
            bar.set_prefix(source.source.clone());
            let total = source.copy.rows_estimated.max(1);
            let at = match source.unit {
                Unit::Sync => total,
                // An estimate may be too low; the end is reached when the copy says so.
                _ => source.copy.all_rows().min(total.saturating_sub(1)),
            };
            bar.set_length(total);
            bar.set_position(at);
            bar.set_message(rate.words(source));
            if last {
                bar.abandon();
            }
        }
    }
}
