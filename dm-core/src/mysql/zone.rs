//! A server's own time zone (`time_zone=SYSTEM`), which has no name that another server would know.

/// Asks for the offset of the session's time zone at a moment, in seconds.
pub(crate) fn offset_question(at: u32) -> String {
    format!(
        "SELECT TIMESTAMPDIFF(SECOND,'1970-01-01 00:00:00'+INTERVAL {at} SECOND,FROM_UNIXTIME({at}))"
    )
}

/// An offset as a `time_zone`; `None` for one that is not of whole minutes.
pub(crate) fn zone_of_offset(seconds: i32) -> Option<String> {
    let minutes = seconds.unsigned_abs() / 60;
    let sign = if seconds < 0 { '-' } else { '+' };
    (seconds % 60 == 0).then(|| format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_zones() {
        let zones = [32_400, -12_600, 0, 20_700, 3_599].map(zone_of_offset);
        let zones: Vec<_> = zones.iter().map(|z| z.as_deref().unwrap_or("none")).collect();
        assert_eq!(zones, ["+09:00", "-03:30", "+00:00", "+05:45", "none"]);
    }
}
