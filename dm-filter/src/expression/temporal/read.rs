//! Dates and times as a server reads them from texts and numbers.

use super::Zone;
use super::calendar::{SECOND, days_in_month, time_from_micros, time_of_day, to_micros};
use crate::expression::decimal::Decimal;
use crate::value::{Date, DateTime, Time};

/// Reads `+08:00`, `-5:30` or `Z` at the beginning: seconds and what follows.
pub(super) fn offset(text: &str) -> Option<(i32, &str)> {
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
pub(crate) struct Read {
    pub(crate) value: DateTime,
    /// True when there was a time of day.
    pub(crate) timed: bool,
}

/// Reads a date or a date and time. A time with an offset is brought into the zone.
pub(crate) fn read_datetime(text: &str, zone: &Zone) -> Option<Read> {
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
pub(crate) fn read_time(text: &str, zone: &Zone) -> Option<Time> {
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
pub(crate) fn datetime_from_number(number: &Decimal) -> Option<DateTime> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::temporal::{datetime_text, time_text};

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
}
