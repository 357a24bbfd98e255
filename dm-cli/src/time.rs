//! Times as people type and read them, UTC.

/// Seconds since the epoch of `YYYY-MM-DD HH:MM:SS`, UTC.
pub fn parse(text: &str) -> Option<u32> {
    let (date, clock) = text.split_once([' ', 'T'])?;
    let number = |part: Option<&str>| part?.parse::<i64>().ok();
    let mut date = date.split('-');
    let (year, month, day) = (number(date.next())?, number(date.next())?, number(date.next())?);
    let mut clock = clock.split(':');
    let (hour, minute, second) =
        (number(clock.next())?, number(clock.next())?, number(clock.next())?);
    let sound = (1970..2106).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    if !sound {
        return None;
    }
    // Days from the civil date, counted from 0000-03-01.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    u32::try_from(days * 86_400 + hour * 3_600 + minute * 60 + second).ok()
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
        assert_eq!(parse("mysql-bin.000001:4"), None);
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for second in (0..4_294_967_295_u64).step_by(12_345_678) {
            let text = text(second);
            assert_eq!(parse(&text).map(u64::from), Some(second), "{text}");
        }
    }
}
