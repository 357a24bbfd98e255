//! Temporal values as MySQL writes them.

use dm_filter::{Date, DateTime, Time, Timestamp};

/// The UTC day and second of the day of an epoch second (proleptic Gregorian calendar).
pub fn civil_from_epoch(seconds: i64) -> (Date, u32) {
    let day = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400) as u32;
    // Days are counted from 0000-03-01, so that a leap day ends its 400-year cycle.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let date = Date {
        year: u16::try_from(year).unwrap_or_default(),
        month: month as u8,
        day: day_of_month as u8,
    };
    (date, second)
}

fn push_fraction(out: &mut String, micro: u32, decimals: u8) {
    if decimals > 0 {
        // Six digits; more are never there.
        let digits = micro % 1_000_000;
        out.push('.');
        (0..u32::from(decimals.min(6))).for_each(|place| {
            out.push(digit(digits / 10u32.pow(5 - place)));
        });
    }
}

fn digit(n: u32) -> char {
    char::from(b'0' + (n % 10) as u8)
}

/// Two digits, more for a larger number.
fn push_two(out: &mut String, n: u16) {
    if n >= 100 {
        out.push(digit(u32::from(n) / 100));
    }
    out.push(digit(u32::from(n) / 10));
    out.push(digit(u32::from(n)));
}

/// Appends `2020-01-31`, without quotes.
pub fn push_date(out: &mut String, v: Date) {
    let year = u32::from(v.year);
    if year >= 10_000 {
        out.push(digit(year / 10_000));
    }
    [1000, 100, 10, 1].into_iter().for_each(|unit| out.push(digit(year / unit)));
    out.push('-');
    push_two(out, u16::from(v.month));
    out.push('-');
    push_two(out, u16::from(v.day));
}

/// Appends `2020-01-31 23:59:59.5`, without quotes.
pub fn push_datetime(out: &mut String, v: &DateTime) {
    push_date(out, v.date);
    out.push(' ');
    push_clock(out, u16::from(v.hour), v.minute, v.second);
    push_fraction(out, v.micro, v.decimals);
}

fn push_clock(out: &mut String, hours: u16, minutes: u8, seconds: u8) {
    push_two(out, hours);
    out.push(':');
    push_two(out, u16::from(minutes));
    out.push(':');
    push_two(out, u16::from(seconds));
}

/// Appends a TIMESTAMP as UTC text, without quotes; the zero value as `0000-00-00 00:00:00`.
pub fn push_timestamp(out: &mut String, v: &Timestamp) {
    let mut parts = DateTime { micro: v.micro, decimals: v.decimals, ..DateTime::default() };
    if v.seconds != 0 || v.micro != 0 {
        let (date, second) = civil_from_epoch(v.seconds);
        parts.date = date;
        parts.hour = (second / 3600) as u8;
        parts.minute = (second / 60 % 60) as u8;
        parts.second = (second % 60) as u8;
    }
    push_datetime(out, &parts);
}

/// Appends `-838:59:59.000`, without quotes.
pub fn push_time(out: &mut String, v: &Time) {
    if v.negative {
        out.push('-');
    }
    push_clock(out, v.hours, v.minutes, v.seconds);
    push_fraction(out, v.micro, v.decimals);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(seconds: i64, micro: u32, decimals: u8) -> String {
        let mut out = String::new();
        push_timestamp(&mut out, &Timestamp { seconds, micro, decimals });
        out
    }

    #[test]
    fn timestamps_are_utc() {
        assert_eq!(stamp(0, 0, 3), "0000-00-00 00:00:00.000");
        assert_eq!(stamp(1, 0, 0), "1970-01-01 00:00:01");
        assert_eq!(stamp(951_782_400, 120_000, 2), "2000-02-29 00:00:00.12");
        assert_eq!(stamp(2_147_483_647, 999_999, 6), "2038-01-19 03:14:07.999999");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = civil_from_epoch(-86_400 * 800_000 / 10).0;
        for day in -79_999..80_000 {
            let (date, second) = civil_from_epoch(day * 86_400);
            assert_eq!(second, 0);
            assert!(date > last, "{date:?} after {last:?}");
            assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
            last = date;
        }
    }

    proptest::proptest! {
        #[test]
        fn digits_are_those_of_the_library(
            (year, month, day) in (0u16..=9999, 0u8..=12, 0u8..=31),
            (hours, minutes, seconds) in (0u16..=838, 0u8..60, 0u8..60),
            (micro, decimals) in (0u32..1_000_000, 0u8..=6),
        ) {
            let fraction = match decimals {
                0 => String::new(),
                n => format!(".{}", &format!("{micro:06}")[..usize::from(n)]),
            };
            let (mut date, mut time) = (String::new(), String::new());
            let hour = (hours % 24) as u8;
            let v = DateTime {
                date: Date { year, month, day }, hour, minute: minutes, second: seconds, micro, decimals,
            };
            push_datetime(&mut date, &v);
            proptest::prop_assert_eq!(
                date,
                format!("{year:04}-{month:02}-{day:02} {hour:02}:{minutes:02}:{seconds:02}{fraction}")
            );
            let v = Time { negative: false, hours, minutes, seconds, micro, decimals };
            push_time(&mut time, &v);
            proptest::prop_assert_eq!(time, format!("{hours:02}:{minutes:02}:{seconds:02}{fraction}"));
        }
    }

    #[test]
    fn times_keep_their_sign() {
        let mut out = String::new();
        push_time(
            &mut out,
            &Time { negative: true, micro: 500_000, decimals: 1, ..Time::default() },
        );
        assert_eq!(out, "-00:00:00.5");
    }
}
