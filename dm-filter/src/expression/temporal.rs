//! Dates and times: reading, printing, shifting, and the zone of TIMESTAMP values.

mod calendar;
mod interval;
mod read;
mod zone;

pub(super) use self::calendar::{
    DAY, SECOND, compare, day_number, days_in_month, from_day_number, from_micros, of_day,
    time_from_micros, time_micros, time_of_day, to_micros,
};
pub(super) use self::interval::Interval;
pub(super) use self::read::{datetime_from_number, read_datetime, read_time};
pub use self::zone::{UnknownZone, Zone};
use crate::value::{Date, DateTime, Time};

/// The digits behind the point, and the point; nothing when there are none.
pub(super) fn fraction_text(micro: u32, decimals: u8) -> String {
    if decimals == 0 {
        return String::new();
    }
    let digits = format!("{micro:06}");
    format!(".{}", digits.get(..usize::from(decimals.min(6))).unwrap_or_default())
}

pub(super) fn date_text(d: Date) -> String {
    format!("{:04}-{:02}-{:02}", d.year, d.month, d.day)
}

pub(super) fn datetime_text(v: DateTime) -> String {
    let fraction = fraction_text(v.micro, v.decimals);
    format!("{} {:02}:{:02}:{:02}{fraction}", date_text(v.date), v.hour, v.minute, v.second)
}

pub(super) fn time_text(t: Time) -> String {
    let sign = if t.negative { "-" } else { "" };
    let fraction = fraction_text(t.micro, t.decimals);
    format!("{sign}{:02}:{:02}:{:02}{fraction}", t.hours, t.minutes, t.seconds)
}
