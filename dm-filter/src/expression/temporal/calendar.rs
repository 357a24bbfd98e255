//! Days and microseconds as numbers, and back.

use std::cmp::Ordering;

use crate::value::{Date, DateTime, Time};

/// Microseconds of a second, an hour and a day.
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const HOUR: i64 = 3600 * SECOND;
pub(crate) const DAY: i64 = 24 * HOUR;
/// 838:59:59, the longest TIME.
const LONGEST: i64 = (838 * 3600 + 59 * 60 + 59) * SECOND;

/// The length of a month.
pub(crate) fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a real day of the calendar.
pub(crate) fn day_number(date: Date) -> Option<i64> {
    if date.month == 0 || date.day == 0 {
        return None;
    }
    // Years begin in March, so that the leap day is the last one.
    let shifted = i64::from(date.month) + 9;
    let year = i64::from(date.year) - i64::from(date.month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (shifted % 12) + 2) / 5 + i64::from(date.day) - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// The day of a day number; `None` outside the years 0 to 9999.
pub(crate) fn from_day_number(days: i64) -> Option<Date> {
    let shifted = days.checked_add(719_468)?;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * of_year + 2) / 153;
    let day = of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(Date {
        year: u16::try_from(year).ok().filter(|y| *y <= 9999)?,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
    })
}

/// Microseconds since 1970-01-01 00:00:00, without any zone.
pub(crate) fn to_micros(value: DateTime) -> Option<i64> {
    Some(day_number(value.date)? * DAY + of_day(value))
}

/// Microseconds since midnight.
pub(crate) fn of_day(value: DateTime) -> i64 {
    i64::from(value.hour) * HOUR
        + i64::from(value.minute) * 60 * SECOND
        + i64::from(value.second) * SECOND
        + i64::from(value.micro)
}

pub(crate) fn from_micros(micros: i64, decimals: u8) -> Option<DateTime> {
    let date = from_day_number(micros.div_euclid(DAY))?;
    let rest = micros.rem_euclid(DAY);
    Some(DateTime {
        date,
        hour: u8::try_from(rest / HOUR).ok()?,
        minute: u8::try_from(rest / (60 * SECOND) % 60).ok()?,
        second: u8::try_from(rest / SECOND % 60).ok()?,
        micro: u32::try_from(rest % SECOND).ok()?,
        decimals,
    })
}

pub(crate) fn time_of_day(value: DateTime) -> Time {
    time_from_micros(of_day(value), value.decimals)
}

/// A TIME of so many microseconds; beyond its range, the longest one.
pub(crate) fn time_from_micros(micros: i64, decimals: u8) -> Time {
    let size = micros.saturating_abs().min(LONGEST);
    let small = |value: i64| u8::try_from(value % 60).unwrap_or(0);
    Time {
        negative: micros < 0,
        hours: u16::try_from(size / HOUR).unwrap_or(838),
        minutes: small(size / (60 * SECOND)),
        seconds: small(size / SECOND),
        micro: u32::try_from(size % SECOND).unwrap_or(0),
        decimals,
    }
}

pub(crate) fn time_micros(time: Time) -> i64 {
    let size = i64::from(time.hours) * HOUR
        + i64::from(time.minutes) * 60 * SECOND
        + i64::from(time.seconds) * SECOND
        + i64::from(time.micro);
    if time.negative { -size } else { size }
}

/// Compares dates and times by their parts, so that zero dates have their place.
pub(crate) fn compare(a: DateTime, b: DateTime) -> Ordering {
    (a.date, of_day(a)).cmp(&(b.date, of_day(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_numbers_go_both_ways() {
        for days in (-700_000..2_900_000).step_by(977) {
            assert_eq!(day_number(from_day_number(days).unwrap()), Some(days));
        }
        assert_eq!(day_number(Date { year: 1970, month: 1, day: 1 }), Some(0));
    }
}
