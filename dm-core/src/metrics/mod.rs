//! Prometheus metrics of a task, with DM's names, types and labels, so that DM's dashboards work.
//!
//! Rendered from a [`TaskStatus`] when they are asked for. A metric that DM has and these tables lack is one
//! of DM's cluster, or one that nothing here corresponds to: `fixtures/metrics/dm.tsv` has all of them, each
//! with the reason why it is not here. `worker` is always `dm`: there is one process.
//!
//! Each metric has the labels `task` and `source_id` (those of relay logs `source_id` only), also where DM
//! has none, because one process may carry several sources.

mod relay;
mod tables;

use std::fmt::Write as _;
use std::path::Path;

use crate::meter::Spread;
use crate::migration::{SourceStatus, TaskStatus, Unit};
use crate::relay::find;

pub use self::relay::{RELAY_METRICS, RelayTold};
pub use self::tables::METRICS;

/// What a metric is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows while the process lives.
    Counter,
    /// Counts values by ranges.
    Histogram,
}

impl Kind {
    /// Prometheus' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric of a `T`.
#[non_exhaustive]
pub struct Metric<T> {
    /// Its name.
    pub name: &'static str,
    /// What it is to Prometheus.
    pub kind: Kind,
    /// Labels beside those that say whose it is.
    pub labels: &'static [&'static str],
    /// What it says, with its unit.
    pub help: &'static str,
    /// True for metrics that DM does not have.
    pub ours: bool,
    samples: fn(&T, &mut Samples),
}

/// One value of a metric.
enum Sample {
    Number(f64),
    Spread(Box<Spread>),
}

/// Values with the labels that set them apart.
#[derive(Default)]
struct Samples(Vec<(Vec<String>, Sample)>);

impl Samples {
    fn number(&mut self, labels: &[&str], value: f64) {
        self.add(labels, Sample::Number(value));
    }

    fn spread(&mut self, labels: &[&str], spread: Spread) {
        self.add(labels, Sample::Spread(Box::new(spread)));
    }

    fn add(&mut self, labels: &[&str], sample: Sample) {
        self.0.push((labels.iter().map(|&l| l.to_owned()).collect(), sample));
    }
}

/// DM's name for the place where a unit runs; here there is only one.
const WORKER: &str = "dm";

const CPU_HELP: &str =
    "Share of one processor's time that this process took since the last look, percent.";

/// What is told beside the status of a task.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Beside {
    /// The relay logs of its sources.
    pub relays: Vec<RelayTold>,
    /// Share of a processor's time that this process took since the last look, in percent.
    pub cpu: Option<f64>,
}

impl Beside {
    /// What a state directory tells of the relay logs of a task's sources.
    pub fn of(state_dir: &Path, status: &TaskStatus) -> Self {
        let mut this = Self::default();
        for source in &status.sources {
            // One that cannot be read has no metrics; query-status says why.
            let Ok(Some(dir)) = find(state_dir, &source.source) else { continue };
            let Ok(Some(status)) = dir.status() else { continue };
            this.relays.push(RelayTold { status, space: dir.space() });
        }
        this
    }

    /// With what the process took of a processor, in percent.
    #[must_use]
    pub fn cpu(self, cpu: Option<f64>) -> Self {
        Self { cpu, ..self }
    }
}

/// The share of a source's copy that is done, from 0 to 1.
pub fn progress(s: &SourceStatus) -> f64 {
    if s.unit == Unit::Sync || (s.copy.tables > 0 && s.copy.tables_done == s.copy.tables) {
        return 1.0;
    }
    // Estimates may be too low; only the end is 1.
    let share = |done: u64, all: u64| (all > 0).then(|| (done as f64 / all as f64).min(0.99));
    share(s.copy.all_bytes(), s.copy.bytes_estimated)
        .or_else(|| share(s.copy.all_rows(), s.copy.rows_estimated))
        .unwrap_or(0.0)
}

/// The number in the name of a binlog file.
fn file_number(name: &str) -> f64 {
    name.rsplit_once('.').and_then(|(_, n)| n.parse().ok()).unwrap_or(0.0)
}

/// The text that Prometheus reads (exposition format 0.0.4).
pub fn render(status: &TaskStatus, beside: &Beside) -> String {
    let mut text = String::new();
    let task = label(&status.task);
    let whose = |s: &SourceStatus| format!("task=\"{task}\",source_id=\"{}\"", label(&s.source));
    for metric in METRICS {
        write(&mut text, metric, status.sources.iter().map(|s| (whose(s), s)));
    }
    let whose = |relay: &RelayTold| format!("source_id=\"{}\"", label(relay.source()));
    for metric in RELAY_METRICS {
        write(&mut text, metric, beside.relays.iter().map(|relay| (whose(relay), relay)));
    }
    if let Some(cpu) = beside.cpu {
        let name = "dm_worker_cpu_usage";
        let _ = writeln!(text, "# HELP {name} {CPU_HELP}\n# TYPE {name} gauge\n{name} {cpu:.2}");
    }
    text
}

/// One metric of all who have it.
fn write<'t, T: 't>(
    text: &mut String,
    metric: &Metric<T>,
    all: impl Iterator<Item = (String, &'t T)>,
) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "# HELP {} {}", metric.name, metric.help);
    let _ = writeln!(text, "# TYPE {} {}", metric.name, metric.kind.as_str());
    for (whose, one) in all {
        let mut samples = Samples::default();
        (metric.samples)(one, &mut samples);
        for (values, sample) in samples.0 {
            let mut labels = whose.clone();
            for (name, value) in metric.labels.iter().zip(values) {
                let _ = write!(labels, ",{name}=\"{}\"", label(&value));
            }
            match sample {
                Sample::Number(value) => {
                    let _ = writeln!(text, "{}{{{labels}}} {value}", metric.name);
                }
                Sample::Spread(spread) => buckets(text, metric.name, &labels, &spread),
            }
        }
    }
}

/// A histogram: how many values were up to each bound, their sum, their number.
fn buckets(text: &mut String, name: &str, labels: &str, spread: &Spread) {
    let mut count = 0;
    for (bound, n) in spread.bounds.iter().zip(&spread.counts) {
        count += n;
        let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
    }
    let all = spread.count();
    let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {all}");
    let _ = writeln!(text, "{name}_sum{{{labels}}} {}", spread.sum);
    let _ = writeln!(text, "{name}_count{{{labels}}} {all}");
}

/// A label's value, escaped.
fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A table of metrics, in the order in which they are printed.
macro_rules! metrics {
    ($(#[$doc:meta])* $table:ident of $what:ty;
     $($kind:ident $name:literal [$($label:literal),*] $ours:literal $help:literal: $samples:expr;)+) => {
        $(#[$doc])*
        pub static $table: &[$crate::metrics::Metric<$what>] = &[$($crate::metrics::Metric {
            name: $name,
            kind: $crate::metrics::Kind::$kind,
            labels: &[$($label),*],
            help: $help,
            ours: $ours,
            samples: $samples,
        }),+];
    };
}
use metrics;

#[cfg(test)]
mod tests;
