//! The zone of TIMESTAMP values.

use jiff::tz::{Offset, TimeZone};

use super::calendar::{SECOND, from_micros, to_micros};
use super::read::offset;
use crate::value::{DateTime, Timestamp};

/// The zone in which TIMESTAMP values are seen and literals without an offset are meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

/// A zone that is neither an offset like `+08:00` nor a name like `Asia/Shanghai`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time zone")]
pub struct UnknownZone(pub String);

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl Zone {
    /// UTC, the zone of a task that names none.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of an offset (`+08:00`) or a name (`Asia/Shanghai`, `UTC`).
    ///
    /// # Errors
    ///
    /// [`UnknownZone`] for anything else.
    pub fn parse(text: &str) -> Result<Self, UnknownZone> {
        if let Some((seconds, "")) = offset(text) {
            let offset = Offset::from_seconds(seconds);
            return offset
                .map(|o| Self(TimeZone::fixed(o)))
                .map_err(|_| UnknownZone(text.to_string()));
        }
        TimeZone::get(text).map(Self).map_err(|_| UnknownZone(text.to_string()))
    }

    /// The local date and time of a TIMESTAMP.
    pub(crate) fn local(&self, timestamp: Timestamp) -> DateTime {
        let Timestamp { seconds, micro, decimals } = timestamp;
        if seconds == 0 && micro == 0 {
            return DateTime { decimals, ..DateTime::default() };
        }
        self.at(seconds, micro, decimals)
    }

    /// The local date and time of a moment, the epoch itself included.
    pub(crate) fn at(&self, seconds: i64, micro: u32, decimals: u8) -> DateTime {
        let offset =
            jiff::Timestamp::from_second(seconds).map_or(0, |t| self.0.to_offset(t).seconds());
        let micros = seconds
            .saturating_add(i64::from(offset))
            .saturating_mul(SECOND)
            .saturating_add(i64::from(micro));
        from_micros(micros, decimals).unwrap_or_default()
    }

    /// Seconds since the epoch of a local date and time; `None` for one that is no day.
    pub(crate) fn epoch(&self, local: DateTime) -> Option<i64> {
        let micros = to_micros(local)?;
        let civil = jiff::civil::DateTime::new(
            i16::try_from(local.date.year).ok()?,
            i8::try_from(local.date.month).ok()?,
            i8::try_from(local.date.day).ok()?,
            i8::try_from(local.hour).ok()?,
            i8::try_from(local.minute).ok()?,
            i8::try_from(local.second).ok()?,
            0,
        );
        match civil.and_then(|c| self.0.to_timestamp(c)) {
            Ok(timestamp) => Some(timestamp.as_second()),
            Err(_) => Some(micros.div_euclid(SECOND)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::temporal::datetime_text;

    #[test]
    fn timestamps_are_seen_in_the_zone() {
        let at = Timestamp { seconds: 1_625_097_600, micro: 0, decimals: 0 };
        let text = |zone: &str| datetime_text(Zone::parse(zone).unwrap().local(at));
        assert_eq!(text("UTC"), "2021-07-01 00:00:00");
        assert_eq!(text("Europe/Berlin"), "2021-07-01 02:00:00");
        assert_eq!(text("-03:30"), "2021-06-30 20:30:00");
        assert!(Zone::parse("Nowhere/City").is_err());
        assert!(Zone::parse("+08:00x").is_err());
        let zero = Timestamp::default();
        assert_eq!(
            datetime_text(Zone::parse("+08:00").unwrap().local(zero)),
            "0000-00-00 00:00:00"
        );
        for zone in ["UTC", "Europe/Berlin", "+05:45"] {
            let zone = Zone::parse(zone).unwrap();
            assert_eq!(zone.epoch(zone.local(at)), Some(at.seconds));
        }
    }
}
