//! Dates and times: reading, printing, shifting, and the zone of TIMESTAMP values.

use std::cmp::Ordering;

use jiff::tz::{Offset, TimeZone};

use super::ast::{SpanPart, Unit};
use super::decimal::Decimal;
use crate::value::{Date, DateTime, Time, Timestamp};

/// Microseconds of a second, an hour and a day.
pub(super) const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;
/// 838:59:59, the longest TIME.
const LONGEST: i64 = (838 * 3600 + 59 * 60 + 59) * SECOND;

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
    pub(super) fn local(&self, timestamp: Timestamp) -> DateTime {
        let Timestamp { seconds, micro, decimals } = timestamp;
        if seconds == 0 && micro == 0 {
            return DateTime { decimals, ..DateTime::default() };
        }
        self.at(seconds, micro, decimals)
    }

    /// The local date and time of a moment, the epoch itself included.
    pub(super) fn at(&self, seconds: i64, micro: u32, decimals: u8) -> DateTime {
        let offset =
            jiff::Timestamp::from_second(seconds).map_or(0, |t| self.0.to_offset(t).seconds());
        let micros = seconds
            .saturating_add(i64::from(offset))
            .saturating_mul(SECOND)
            .saturating_add(i64::from(micro));
        from_micros(micros, decimals).unwrap_or_default()
    }

    /// Seconds since the epoch of a local date and time; `None` for one that is no day.
    pub(super) fn epoch(&self, local: DateTime) -> Option<i64> {
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

/// Reads `+08:00`, `-5:30` or `Z` at the beginning: seconds and what follows.
fn offset(text: &str) -> Option<(i32, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = number(text.get(1..)?, 2)?;
    let (minutes, rest) = number(rest.strip_prefix(':').unwrap_or(rest), 2)?;
    (hours <= 14 && minutes < 60)
        .then_some((sign * (hours as i32 * 3600 + minutes as i32 * 60), rest))
}

/// Reads up to `most` digits.
fn number(text: &str, most: usize) -> Option<(u32, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// A year of two digits means 1970 to 2069.
fn full_year(year: u32, digits: usize) -> u32 {
    match (digits, year) {
        (2, 0..=69) => year + 2000,
        (2, _) => year + 1900,
        _ => year,
    }
}

pub(super) fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// A date whose parts are in range; zero parts are allowed, as in the server's columns.
fn date(year: u32, month: u32, day: u32) -> Option<Date> {
    let date = Date {
        year: u16::try_from(year).ok().filter(|y| *y <= 9999)?,
        month: u8::try_from(month).ok().filter(|m| *m <= 12)?,
        day: u8::try_from(day).ok()?,
    };
    let most = if date.month == 0 { 31 } else { days_in_month(date.year, date.month) };
    (date.day <= most).then_some(date)
}

fn datetime(date: Date, h: u32, m: u32, s: u32, (micro, decimals): (u32, u8)) -> Option<DateTime> {
    let part = |value: u32, most: u8| u8::try_from(value).ok().filter(|v| *v <= most);
    Some(DateTime {
        date,
        hour: part(h, 23)?,
        minute: part(m, 59)?,
        second: part(s, 59)?,
        micro,
        decimals,
    })
}

/// Reads `.5678`: microseconds and the number of digits, further digits rounded away.
fn fraction(text: &str) -> ((u32, u8), &str) {
    let Some(after) = text.strip_prefix('.') else { return ((0, 0), text) };
    let end = after.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = after.split_at(end);
    let mut micro = 0;
    for i in 0..6 {
        micro = micro * 10 + digits.as_bytes().get(i).map_or(0, |d| u32::from(d - b'0'));
    }
    let round_up = digits.as_bytes().get(6).is_some_and(|d| *d >= b'5') && micro < 999_999;
    ((micro + u32::from(round_up), u8::try_from(end.min(6)).unwrap_or(6)), rest)
}

/// A date, with or without time, as read from text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) value: DateTime,
    /// True when there was a time of day.
    pub(super) timed: bool,
}

/// Reads a date or a date and time. A time with an offset is brought into the zone.
pub(super) fn read_datetime(text: &str, zone: &Zone) -> Option<Read> {
    let text = text.trim();
    let leading = text.bytes().take_while(u8::is_ascii_digit).count();
    let (value, rest, timed) =
        if leading >= 5 { read_compact(text, leading)? } else { read_delimited(text)? };
    let value = match (rest, timed) {
        ("", _) => value,
        (rest, true) => {
            let (seconds, "") = offset(rest.trim_start())? else { return None };
            let at = to_micros(value)? - i64::from(seconds) * SECOND;
            let micro = u32::try_from(at.rem_euclid(SECOND)).ok()?;
            zone.at(at.div_euclid(SECOND), micro, value.decimals)
        }
        _ => return None,
    };
    Some(Read { value, timed })
}

/// `2021-1-2 3:4:5.6`, with any punctuation between the parts.
fn read_delimited(text: &str) -> Option<(DateTime, &str, bool)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(between(rest)?, 2)?;
    let (day, rest) = number(between(rest)?, 2)?;
    let date = date(full_year(year, digits), month, day)?;
    let midnight = DateTime { date, ..DateTime::default() };
    let time = rest.strip_prefix(['T', 't']).unwrap_or_else(|| rest.trim_start());
    if time.len() == rest.len() || time.is_empty() {
        return Some((midnight, time, false));
    }
    let (hour, rest) = number(time, 2)?;
    let (minute, rest) = match between(rest) {
        Some(after) => number(after, 2)?,
        None => (0, rest),
    };
    let (second, rest) = match rest.strip_prefix(':') {
        Some(after) => number(after, 2)?,
        None => (0, rest),
    };
    let (micro, rest) = fraction(rest);
    Some((datetime(date, hour, minute, second, micro)?, rest, true))
}

/// The text after one or more marks of punctuation; a point, sign or blank ends the date instead.
fn between(text: &str) -> Option<&str> {
    let after = text.trim_start_matches(|c: char| c.is_ascii_punctuation() && c != '+');
    (after.len() < text.len()).then_some(after)
}

/// `20210102030405`, `210102`: the length says which parts there are.
fn read_compact(text: &str, digits: usize) -> Option<(DateTime, &str, bool)> {
    let (all, rest) = text.split_at(digits);
    let year_digits = if matches!(digits, 8 | 14) { 4 } else { 2 };
    let (year, tail) = all.split_at(year_digits);
    let part = |i: usize| {
        tail.get(2 * i..).map_or(Some(0), |t| number(t, 2).map_or(Some(0), |n| Some(n.0)))
    };
    let date = date(full_year(year.parse().ok()?, year_digits), part(0)?, part(1)?)?;
    if digits <= 8 {
        // `20210102T030405`
        let Some(time) = rest.strip_prefix(['T', 't']) else {
            return Some((DateTime { date, ..DateTime::default() }, rest, false));
        };
        let (hour, time) = number(time, 2)?;
        let (minute, time) = number(time, 2)?;
        let (second, time) = number(time, 2)?;
        let (micro, rest) = fraction(time);
        return Some((datetime(date, hour, minute, second, micro)?, rest, true));
    }
    let (micro, rest) = fraction(rest);
    Some((datetime(date, part(2)?, part(3)?, part(4)?, micro)?, rest, true))
}

/// Reads `[-][D ]hh:mm[:ss][.f]`, `hhmmss` or seconds; the time of day of a date and time.
pub(super) fn read_time(text: &str, zone: &Zone) -> Option<Time> {
    let text = text.trim();
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    if !negative && body.bytes().filter(|b| *b == b'-').count() == 2 {
        return read_datetime(body, zone).map(|r| time_of_day(r.value));
    }
    let (days, body) = match body.split_once(' ') {
        Some((days, rest)) => {
            // More days than a TIME can hold are as good as the longest one.
            (days.parse::<u32>().ok().map(|d| i64::from(d.min(40)))?, rest.trim_start())
        }
        None => (0, body),
    };
    let (first, rest) = number(body, 7)?;
    let (seconds, rest) = if let Some(rest) = rest.strip_prefix(':') {
        let (minutes, rest) = number(rest, 2).filter(|(m, _)| *m < 60)?;
        let (seconds, rest) = match rest.strip_prefix(':') {
            Some(rest) => number(rest, 2).filter(|(s, _)| *s < 60)?,
            None => (0, rest),
        };
        (i64::from(first) * 3600 + i64::from(minutes) * 60 + i64::from(seconds), rest)
    } else if days > 0 {
        (i64::from(first) * 3600, rest)
    } else {
        (compact_seconds(first)?, rest)
    };
    let ((micro, decimals), rest) = fraction(rest);
    if !rest.is_empty() {
        return None;
    }
    let micros = (days * 24 * 3600 + seconds) * SECOND + i64::from(micro);
    Some(time_from_micros(if negative { -micros } else { micros }, decimals))
}

/// `hhmmss` as a number.
fn compact_seconds(value: u32) -> Option<i64> {
    let (h, m, s) = (value / 10_000, value / 100 % 100, value % 100);
    (m < 60 && s < 60).then(|| i64::from(h) * 3600 + i64::from(m) * 60 + i64::from(s))
}

/// A number as date and time: `20210102` or `20210102030405.5`.
pub(super) fn datetime_from_number(number: &Decimal) -> Option<DateTime> {
    if number.is_negative() {
        return None;
    }
    let text = number.to_string();
    let digits = text.split('.').next()?.len();
    let padded = match digits {
        5 | 7 | 11 | 13 => format!("0{text}"),
        6 | 8 | 12 | 14 => text,
        _ => return None,
    };
    let (value, rest, _) = read_compact(&padded, digits + digits % 2)?;
    (rest.is_empty() || rest.starts_with('.')).then_some(value)
}

/// Days since 1970-01-01 of a real day of the calendar.
pub(super) fn day_number(date: Date) -> Option<i64> {
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
pub(super) fn from_day_number(days: i64) -> Option<Date> {
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
pub(super) fn to_micros(value: DateTime) -> Option<i64> {
    Some(day_number(value.date)? * DAY + of_day(value))
}

/// Microseconds since midnight.
pub(super) fn of_day(value: DateTime) -> i64 {
    i64::from(value.hour) * HOUR
        + i64::from(value.minute) * 60 * SECOND
        + i64::from(value.second) * SECOND
        + i64::from(value.micro)
}

pub(super) fn from_micros(micros: i64, decimals: u8) -> Option<DateTime> {
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

pub(super) fn time_of_day(value: DateTime) -> Time {
    time_from_micros(of_day(value), value.decimals)
}

/// A TIME of so many microseconds; beyond its range, the longest one.
pub(super) fn time_from_micros(micros: i64, decimals: u8) -> Time {
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

pub(super) fn time_micros(time: Time) -> i64 {
    let size = i64::from(time.hours) * HOUR
        + i64::from(time.minutes) * 60 * SECOND
        + i64::from(time.seconds) * SECOND
        + i64::from(time.micro);
    if time.negative { -size } else { size }
}

/// Compares dates and times by their parts, so that zero dates have their place.
pub(super) fn compare(a: DateTime, b: DateTime) -> Ordering {
    (a.date, of_day(a)).cmp(&(b.date, of_day(b)))
}

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

/// An amount of INTERVAL: months, and microseconds beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interval {
    months: i64,
    micros: i64,
    /// True when parts smaller than a day are meant, so that a date becomes a date and time.
    pub(super) timed: bool,
    /// True when microseconds are meant.
    pub(super) fine: bool,
}

impl Interval {
    /// `amount` as the text of the literal; the units made of parts read `'1 2:3'`.
    pub(super) fn new(amount: &str, unit: Unit, negative: bool) -> Option<Self> {
        let sign = if negative { -1 } else { 1 };
        let whole = |scale: i64| {
            let number = Decimal::parse(amount.trim())?.rounded(0).to_i64()?;
            number.checked_mul(scale)?.checked_mul(sign)
        };
        let months = |scale| Some(Self { months: whole(scale)?, ..Self::default() });
        let micros = |scale: i64, timed: bool| {
            Some(Self { micros: whole(scale)?, timed, ..Self::default() })
        };
        match unit {
            Unit::Year => months(12),
            Unit::Quarter => months(3),
            Unit::Month => months(1),
            Unit::Week => micros(7 * DAY, false),
            Unit::Day => micros(DAY, false),
            Unit::Hour => micros(HOUR, true),
            Unit::Minute => micros(60 * SECOND, true),
            Unit::Second => {
                let number = Decimal::parse(amount.trim())?.mul(Decimal::from(SECOND))?;
                let fine = number.rem(Decimal::from(SECOND))? != Decimal::ZERO;
                let micros = number.to_i64()?.checked_mul(sign)?;
                Some(Self { micros, timed: true, fine, ..Self::default() })
            }
            Unit::Microsecond => Some(Self { fine: true, ..micros(1, true)? }),
            Unit::YearMonth => {
                let (minus, parts) = parts(amount, 2)?;
                let [years, months] = *parts.as_slice() else { return None };
                let total = years.checked_mul(12)?.checked_add(months)?;
                Some(Self { months: total * sign * minus, ..Self::default() })
            }
            Unit::Span(first, last) => {
                let count = last as usize - first as usize + 1;
                let (minus, parts) = parts(amount, count)?;
                let mut total = 0i64;
                for (i, part) in parts.iter().enumerate() {
                    let size = [DAY, HOUR, 60 * SECOND, SECOND, 1].get(first as usize + i)?;
                    total = total.checked_add(part.checked_mul(*size)?)?;
                }
                let fine = last == SpanPart::Micro;
                Some(Self { micros: total * sign * minus, timed: true, fine, months: 0 })
            }
        }
    }

    /// A date and time shifted; the day is cut to the length of the new month.
    pub(super) fn shift(self, value: DateTime) -> Option<DateTime> {
        let mut value = value;
        if self.months != 0 {
            let months = i64::from(value.date.year) * 12 + i64::from(value.date.month) - 1;
            let months = months.checked_add(self.months)?;
            value.date.year = u16::try_from(months.div_euclid(12)).ok().filter(|y| *y <= 9999)?;
            value.date.month = u8::try_from(months.rem_euclid(12) + 1).ok()?;
            value.date.day = value.date.day.min(days_in_month(value.date.year, value.date.month));
        }
        let micros = to_micros(value)?.checked_add(self.micros)?;
        from_micros(micros, if self.fine { 6 } else { value.decimals })
    }

    /// The part that a TIME can be shifted by; `None` when months are meant.
    pub(super) fn span(self) -> Option<i64> {
        (self.months == 0).then_some(self.micros)
    }
}

/// The numbers of `'1 2:3'`, filled with zeros on the left, and the sign before them.
fn parts(text: &str, count: usize) -> Option<(i64, Vec<i64>)> {
    let text = text.trim();
    let minus = if text.starts_with('-') { -1 } else { 1 };
    let mut found = Vec::new();
    for digits in text.split(|c: char| !c.is_ascii_digit()).filter(|d| !d.is_empty()) {
        found.push(digits.parse().ok()?);
    }
    if found.is_empty() || found.len() > count {
        return None;
    }
    let mut parts = vec![0; count - found.len()];
    parts.append(&mut found);
    Some((minus, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        read_datetime(text, &Zone::utc()).map(|r| datetime_text(r.value))
    }

    #[test]
    fn dates_are_read_in_the_servers_forms() {
        let midnight = Some("2021-01-02 00:00:00".to_string());
        for text in
            ["2021-01-02", "2021-1-2", "21-1-2", "20210102", "210102", "2021/01/02", "2021.1.2"]
        {
            assert_eq!(read(text), midnight, "{text}");
        }
        let full = Some("2021-01-02 03:04:05".to_string());
        for text in ["2021-01-02 03:04:05", "2021-01-02T3:4:5", "20210102030405", "20210102T030405"]
        {
            assert_eq!(read(text), full, "{text}");
        }
        assert_eq!(read("2021-01-02 03:04"), Some("2021-01-02 03:04:00".into()));
        assert_eq!(read("2021-01-02 03:04:05.5678"), Some("2021-01-02 03:04:05.5678".into()));
        assert_eq!(read("0000-00-00"), Some("0000-00-00 00:00:00".into()));
        for bad in
            ["", "x", "2021-13-01", "2021-02-30", "2021-01-02 25:00", "2021-01-02 1:2:3 x", "12"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_offset_brings_a_literal_into_the_zone() {
        let east = Zone::parse("+08:00").unwrap();
        let text = "2021-01-01 12:34:56.5678+08:00";
        assert_eq!(read(text), Some("2021-01-01 04:34:56.5678".into()));
        let local = read_datetime(text, &east).unwrap().value;
        assert_eq!(datetime_text(local), "2021-01-01 12:34:56.5678");
        assert_eq!(read("2021-01-01T00:00:00Z"), Some("2021-01-01 00:00:00".into()));
    }

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

    #[test]
    fn times_are_read_and_printed() {
        let read = |t: &str| read_time(t, &Zone::utc()).map(time_text);
        assert_eq!(read("10:11:12"), Some("10:11:12".into()));
        assert_eq!(read("-1 10:00"), Some("-34:00:00".into()));
        assert_eq!(read("101112"), Some("10:11:12".into()));
        assert_eq!(read("-00:00:00.5"), Some("-00:00:00.5".into()));
        assert_eq!(read("2021-01-02 03:04:05"), Some("03:04:05".into()));
        assert_eq!(read("900:00:00"), Some("838:59:59".into()));
        assert_eq!(read("4000000000 1:00"), Some("838:59:59".into()));
        assert_eq!(read("9999999999999999999 1:00"), None);
        assert_eq!(read("10:61"), None);
    }

    #[test]
    fn intervals_shift_dates() {
        let shift = |date: &str, amount: &str, unit: &str| {
            let value = read_datetime(date, &Zone::utc()).unwrap().value;
            let interval = Interval::new(amount, Unit::named(unit).unwrap(), false)?;
            interval.shift(value).map(datetime_text)
        };
        let some = |s: &str| Some(s.to_string());
        assert_eq!(shift("2020-01-31", "1", "MONTH"), some("2020-02-29 00:00:00"));
        assert_eq!(shift("2020-12-31 23:59:59", "1", "SECOND"), some("2021-01-01 00:00:00"));
        assert_eq!(shift("2020-03-01", "-1", "DAY"), some("2020-02-29 00:00:00"));
        assert_eq!(shift("2020-01-01", "1 2:3", "DAY_MINUTE"), some("2020-01-02 02:03:00"));
        assert_eq!(shift("2020-01-01", "1-2", "YEAR_MONTH"), some("2021-03-01 00:00:00"));
        assert_eq!(shift("9999-12-31", "1", "DAY"), None);
        assert_eq!(shift("0000-00-00", "1", "DAY"), None);
    }

    #[test]
    fn day_numbers_go_both_ways() {
        for days in (-700_000..2_900_000).step_by(977) {
            assert_eq!(day_number(from_day_number(days).unwrap()), Some(days));
        }
        assert_eq!(day_number(Date { year: 1970, month: 1, day: 1 }), Some(0));
    }
}
