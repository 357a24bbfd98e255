//! The metrics of a source's relay log.

use super::{Samples, file_number, metrics};
use crate::relay::RelayStatus;

/// A relay log, and the room where it lies.
#[derive(Clone, Debug, Default)]
pub struct RelayTold {
    /// How it stands.
    pub status: RelayStatus,
    /// Bytes that its file system has, and that may still be written.
    pub space: Option<(u64, u64)>,
}

impl RelayTold {
    /// The source that it belongs to.
    pub fn source(&self) -> &str {
        &self.status.source
    }
}

metrics! {
    /// Every metric of a relay log, in the order in which they are printed.
    RELAY_METRICS of RelayTold;
    Gauge "dm_relay_binlog_file" ["node"] false
        "Number of the binlog file up to which the relay log goes (relay), and of the one where the source ends (master).":
        |r, out| places(r, |file, _| file_number(file), out);
    Gauge "dm_relay_binlog_pos" ["node"] false "Offset in that file, bytes.":
        |r, out| places(r, |_, offset| offset, out);
    Gauge "dm_relay_sub_dir_index" ["node", "uuid"] false
        "How many servers the source has been, with the one that it is now.":
        |r, out| if let Some((server, number)) = r.status.relay_sub_dir.rsplit_once('.') {
            out.number(&["relay", server], number.parse().unwrap_or(0.0));
        };
    Gauge "dm_relay_space" ["type"] false
        "Bytes of the file system where the relay log lies: capacity, and available.":
        |r, out| if let Some((capacity, available)) = r.space {
            out.number(&["capacity"], capacity as f64);
            out.number(&["available"], available as f64);
        };
    Counter "dm_relay_data_corruption" [] false "Events whose checksum did not fit.":
        |r, out| out.number(&[], r.status.meters.corrupted as f64);
    Histogram "dm_relay_write_size" [] false "Length of an event, bytes.":
        |r, out| out.spread(&[], r.status.meters.write_bytes.clone());
    Histogram "dm_relay_write_duration" [] false "Seconds to write what was collected to the file.":
        |r, out| out.spread(&[], r.status.meters.write.clone());
    Histogram "dm_relay_read_binlog_duration" [] false "Seconds until the server sent an event.":
        |r, out| out.spread(&[], r.status.meters.read.clone());
    Histogram "dm_relay_read_transform_duration" [] false
        "Seconds to look at an event that is collected.":
        |r, out| out.spread(&[], r.status.meters.transform.clone());
    Counter "dm_relay_read_error_count" [] false "Errors of the server and of the way to it.":
        |r, out| out.number(&[], r.status.meters.read_errors as f64);
    Counter "dm_relay_write_error_count" [] false "Errors of the files of the relay log.":
        |r, out| out.number(&[], r.status.meters.write_errors as f64);
    Counter "dm_relay_exit_with_error_count" ["resumable_err"] false
        "Errors that ended an attempt to pull; those that pass by themselves are resumable.":
        |r, out| {
            out.number(&["true"], r.status.meters.resumable as f64);
            out.number(&["false"], r.status.meters.fatal as f64);
        };
}

/// A number of the place up to which the relay log goes, and of the place where the server ends.
fn places(r: &RelayTold, number: impl Fn(&str, f64) -> f64, out: &mut Samples) {
    for (node, place) in [("relay", &r.status.relay_binlog), ("master", &r.status.master_binlog)] {
        if let Some((file, offset)) = in_parentheses(place) {
            out.number(&[node], number(file, offset));
        }
    }
}

/// File and offset of `(file, offset)`.
fn in_parentheses(place: &str) -> Option<(&str, f64)> {
    let (file, offset) = place.trim_matches(['(', ')']).rsplit_once(", ")?;
    Some((file, offset.parse().ok()?))
}
