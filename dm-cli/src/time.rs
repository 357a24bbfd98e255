//! Times as people type and read them, UTC.

/// Seconds since the epoch of `YYYY-MM-DD HH:MM:SS`, UTC unless a zone stands behind it (`Z`, `+02:00`, `-0730`).
pub fn parse(text: &str) -> Option<u32> {
    let (time, east) = zone(text)?;
    let second = in_utc(time)?;
    u32::try_from(second - east).ok()
}

/// A time, and how many seconds its zone is ahead of UTC.
fn zone(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, 0));
    }
    // The date has dashes of its own.
    let Some(at) = text.rfind(['+', '-']).filter(|at| *at > "YYYY-MM-DD".len()) else {
        return Some((text, 0));
    };
    let (time, offset) = text.split_at(at);
    let digits = offset.get(1..)?;
    let (hours, minutes) = digits.split_once(':').or_else(|| digits.split_at_checked(2))?;
    let sound = [hours, minutes].iter().all(|part| part.len() == 2);
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    let sound = sound && hours < 15 && minutes < 60;
    let seconds = hours * 3_600 + minutes * 60;
    sound.then_some((time, if offset.starts_with('-') { -seconds } else { seconds }))
}

fn in_utc(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once([' ', 'T'])?;
    let number = |part: Option<&str>| part?.parse::<i64>().ok();
    let mut date = date.split('-');
    let (year, month, day) = (number(date.next())?, number(date.next())?, number(date.next())?);
    let mut clock = clock.split(':');
    let (hour, minute, second) =
        (number(clock.next())?, number(clock.next())?, number(clock.next())?);
    let sound = (1970..2106).contains(&year)
        && (1..=12).contains(&month)
        && (1..=last_day(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    if !sound {
        return None;
    }
    // Days from the civil date, counted from 0000-03-01.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn last_day(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A second of the epoch as `YYYY-MM-DD HH:MM:SS`, UTC.
pub fn text(second: u64) -> String {
    // The civil date of a day, counted from 0000-03-01 in cycles of 400 years.
    let days = second / 86_400 + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = cycle * 400 + year + next;
    let clock = second % 86_400;
    let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        assert_eq!(parse("1970-01-01 00:00:00"), Some(0));
        assert_eq!(parse("2000-02-29T12:00:01"), Some(951_825_601));
        assert_eq!(parse("2038-01-19 03:14:07"), Some(2_147_483_647));
        assert_eq!(parse("2020-13-01 00:00:00"), None);
        assert_eq!(parse("2021-02-29 00:00:00"), None);
        assert_eq!(parse("mysql-bin.000001:4"), None);
        assert_eq!(parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-1234"), None);
    }

    #[test]
    fn zones_are_heard() {
        let noon = parse("2021-10-21 12:00:00");
        for text in [
            "2021-10-21T12:00:00Z",
            "2021-10-21 14:00:00+02:00",
            "2021-10-21 04:30:00-0730",
            "2021-10-22 02:00:00+1400",
        ] {
            assert_eq!(parse(text), noon, "{text}");
        }
        for wrong in
            ["12:00:00+2", "12:00:00+02:0", "12:00:00+0a00", "12:00:00+15:00", "12:00:00 UTC"]
        {
            assert_eq!(parse(&format!("2021-10-21 {wrong}")), None, "{wrong}");
        }
        assert_eq!(parse("1970-01-01 00:00:00+01:00"), None);
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for second in (0..4_294_967_295_u64).step_by(12_345_678) {
            let text = text(second);
            assert_eq!(parse(&text).map(u64::from), Some(second), "{text}");
        }
    }
}
