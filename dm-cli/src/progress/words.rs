//! How a source stands, in a line of words.

use std::time::Instant;

use dm_core::{SourceStatus, Unit};

/// Rows and bytes in a second, measured between two looks that are a second apart.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    before: Option<(Instant, u64, u64)>,
    rows: f64,
    bytes: f64,
}

impl Rate {
    /// Takes note of how a source stands now.
    pub fn measure(&mut self, source: &SourceStatus, now: Instant) {
        let (rows, bytes) = match source.unit {
            Unit::Sync => {
                (source.stream.inserted + source.stream.updated + source.stream.deleted, 0)
            }
            _ => (source.copy.rows, source.copy.bytes),
        };
        let Some((at, rows_before, bytes_before)) = self.before else {
            self.before = Some((now, rows, bytes));
            return;
        };
        let seconds = now.saturating_duration_since(at).as_secs_f64();
        if seconds >= 1.0 {
            self.rows = rows.saturating_sub(rows_before) as f64 / seconds;
            self.bytes = bytes.saturating_sub(bytes_before) as f64 / seconds;
            self.before = Some((now, rows, bytes));
        }
    }

    /// One line about a source.
    pub fn words(&self, source: &SourceStatus) -> String {
        let mut words = match source.unit {
            Unit::Load => self.copy(source),
            Unit::Sync => self.stream(source),
            _ => "starting".to_owned(),
        };
        if let Some(error) = &source.error {
            words.push_str("; ");
            words.push_str(error);
        }
        words
    }

    fn copy(&self, source: &SourceStatus) -> String {
        let c = &source.copy;
        let mut words = format!(
            "copy: {}/{} tables, {} of about {} rows, {} of about {}, {:.0} rows/s, {}/s",
            c.tables_done,
            c.tables,
            c.all_rows(),
            c.rows_estimated,
            bytes(c.all_bytes() as f64),
            bytes(c.bytes_estimated as f64),
            self.rows,
            bytes(self.bytes),
        );
        let left = c.rows_estimated.saturating_sub(c.all_rows());
        if self.rows >= 1.0 && left > 0 {
            words.push_str(&format!(", {} left", span(left as f64 / self.rows)));
        }
        words
    }

    fn stream(&self, source: &SourceStatus) -> String {
        let s = &source.stream;
        format!(
            "sync: {} transactions, {} rows ({:.0}/s), {} DDL, {} behind, {}",
            s.txns,
            s.inserted + s.updated + s.deleted,
            self.rows,
            s.ddls,
            span(source.lag_seconds as f64),
            source.position
        )
    }
}

/// A span of time with at most two units.
fn span(seconds: f64) -> String {
    let s = seconds as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}

/// A number of bytes in the unit that fits.
fn bytes(mut value: f64) -> String {
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes() {
        let spans =
            [(0.4, "0 s"), (61.0, "1 min 1 s"), (7_260.0, "2 h 1 min"), (90_000.0, "1 d 1 h")];
        for (seconds, words) in spans {
            assert_eq!(span(seconds), words);
        }
        assert_eq!(bytes(0.0), "0.0 B");
        assert_eq!(bytes(1536.0), "1.5 KiB");
        assert_eq!(bytes(3.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0), "3072.0 TiB");
    }
}
