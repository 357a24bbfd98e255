//! Defaults of columns of dates and times: every notation that the servers read, in the one that they print.
/// Splits `2020-1-2`, `20200102`, `20-1-2` and the like into the date and what follows.
fn date_parts(text: &str) -> Option<(String, &str)> {
    let text = text.trim();
    let end = text.find([' ', 'T']).unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    let rest = rest.trim_start_matches([' ', 'T']);
    let parts: Vec<&str> = date.split(|c: char| !c.is_ascii_digit()).collect();
    match parts.as_slice() {
        [y, m, d] => Some((format!("{}-{m:0>2}-{d:0>2}", whole_year(y)?), rest)),
        [digits] if matches!(digits.len(), 6 | 8 | 12 | 14) => {
            let year = if matches!(digits.len(), 6 | 12) { 2 } else { 4 };
            let (y, rest) = digits.split_at(year);
            let (m, rest) = rest.split_at(2);
            let (d, rest) = rest.split_at(2);
            Some((format!("{}-{m}-{d}", whole_year(y)?), rest))
        }
        ["0"] => Some(("0000-00-00".to_owned(), "")),
        _ => None,
    }
}

/// A year of two digits lies between 1970 and 2069.
fn whole_year(year: &str) -> Option<String> {
    match (year.len(), year.parse::<u32>().ok()?) {
        (4, _) => Some(year.to_owned()),
        (2, short) => Some((if short < 70 { 2000 + short } else { 1900 + short }).to_string()),
        _ => None,
    }
}

pub(super) fn date(text: &str) -> String {
    date_parts(text).map_or_else(|| text.to_owned(), |(date, _)| date)
}

pub(super) fn date_time(text: &str, decimals: u32, rounds: bool) -> String {
    match date_parts(text) {
        Some((date, rest)) => {
            let clock = time(rest, decimals, rounds);
            let tomorrow = || date.parse::<jiff::civil::Date>().ok()?.tomorrow().ok();
            match (clock.strip_prefix("24:"), tomorrow()) {
                // Rounded up over midnight.
                (Some(rest), Some(tomorrow)) => format!("{tomorrow} 00:{rest}"),
                _ => format!("{date} {clock}"),
            }
        }
        None => text.to_owned(),
    }
}

/// A time with so many digits behind the point.
pub(super) fn time(text: &str, decimals: u32, rounds: bool) -> String {
    time_parts(text, decimals, rounds).unwrap_or_else(|| text.to_owned())
}

/// Reads `[-][days ]h:m[:s][.fraction]` and `hms[.fraction]`.
fn time_parts(text: &str, decimals: u32, rounds: bool) -> Option<String> {
    let (sign, body) = match text.trim().strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.trim()),
    };
    let (clock, fraction) = body.split_once('.').unwrap_or((body, ""));
    let (days, clock) = clock.split_once(' ').unwrap_or(("0", clock));
    let parts: Vec<&str> = clock.trim().split(':').collect();
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let (h, m, s) = match parts.as_slice() {
        [h, m, s] => (number(h)?, number(m)?, number(s)?),
        [h, m] => (number(h)?, number(m)?, 0),
        [hours] if days != "0" => (number(hours)?, 0, 0),
        [digits] if digits.len() <= 6 => {
            let all = number(digits)?;
            (all / 10_000, all / 100 % 100, all % 100)
        }
        _ => return None,
    };
    let seconds =
        ((number(days)?.checked_mul(24)?.checked_add(h)?).checked_mul(60)?.checked_add(m)?)
            .checked_mul(60)?
            .checked_add(s)?;
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let unit = 10_u64.pow(6_u32.saturating_sub(decimals));
    let micros = seconds.checked_mul(1_000_000)?.checked_add(number(&digits)?)?;
    let micros = if rounds { micros.checked_add(unit / 2)? } else { micros } / unit * unit;
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000 / unit);
    let (h, m, s) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let clock = format!("{sign}{h:02}:{m:02}:{s:02}");
    let width = usize::try_from(decimals).unwrap_or(0);
    Some(if width == 0 { clock } else { format!("{clock}.{fraction:0width$}") })
}
