//! Functions on dates and times. What is no date makes them NULL, as on the server.

use super::{Args, Function, strict};
use crate::expression::decimal::Decimal;
use crate::expression::error::EvalError;
use crate::expression::temporal::{
    self, SECOND, day_number, days_in_month, from_day_number, time_from_micros, time_micros,
};
use crate::expression::value::{Num, Val};
use crate::value::{Date, DateTime};

type Result = std::result::Result<Val<'static>, EvalError>;

/// Days from year 0, which TO_DAYS counts from, to 1970-01-01.
const TO_DAYS_EPOCH: i64 = 719_528;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From Monday, as WEEKDAY() counts.
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

pub(super) const FUNCTIONS: &[Function] = &[
    strict("DATE", 1, 1, |a| date(a, |v| Some(Val::Date(v.date)))),
    strict("TIMESTAMP", 1, 1, |a| date(a, |v| Some(Val::DateTime(v)))),
    strict("TIME", 1, 1, |a| Ok(a.get(0).to_time(a.zone).map_or(Val::Null, Val::Time))),
    strict("YEAR", 1, 1, |a| date(a, |v| Some(int(v.date.year)))),
    strict("QUARTER", 1, 1, |a| date(a, |v| Some(int(v.date.month.div_ceil(3))))),
    strict("MONTH", 1, 1, |a| date(a, |v| Some(int(v.date.month)))),
    strict("DAY", 1, 1, |a| date(a, |v| Some(int(v.date.day)))),
    strict("DAYOFMONTH", 1, 1, |a| date(a, |v| Some(int(v.date.day)))),
    strict("DAYOFWEEK", 1, 1, |a| date(a, |v| Some(Val::Int((weekday(v.date)? + 1) % 7 + 1)))),
    strict("WEEKDAY", 1, 1, |a| date(a, |v| weekday(v.date).map(Val::Int))),
    strict("DAYOFYEAR", 1, 1, |a| date(a, |v| day_of_year(v.date).map(Val::Int))),
    strict("DAYNAME", 1, 1, |a| date(a, |v| Some(Val::text(day_name(v.date)?)))),
    strict("MONTHNAME", 1, 1, |a| date(a, |v| Some(Val::text(month_name(v.date)?)))),
    strict("LAST_DAY", 1, 1, |a| date(a, |v| last_day(v.date))),
    strict("TO_DAYS", 1, 1, |a| date(a, |v| Some(Val::Int(day_number(v.date)? + TO_DAYS_EPOCH)))),
    strict("FROM_DAYS", 1, 1, from_days),
    strict("HOUR", 1, 1, |a| time(a, |micros| micros.abs() / (3600 * SECOND))),
    strict("MINUTE", 1, 1, |a| time(a, |micros| micros.abs() / (60 * SECOND) % 60)),
    strict("SECOND", 1, 1, |a| time(a, |micros| micros.abs() / SECOND % 60)),
    strict("MICROSECOND", 1, 1, |a| time(a, |micros| micros.abs() % SECOND)),
    strict("TIME_TO_SEC", 1, 1, |a| time(a, |micros| micros / SECOND)),
    strict("SEC_TO_TIME", 1, 1, |a| {
        Ok(Val::Time(time_from_micros(a.int(0).saturating_mul(SECOND), 0)))
    }),
    strict("DATEDIFF", 2, 2, datediff),
    strict("UNIX_TIMESTAMP", 1, 1, unix_timestamp),
    strict("FROM_UNIXTIME", 1, 2, from_unixtime),
    strict("DATE_FORMAT", 2, 2, date_format),
    strict("STR_TO_DATE", 2, 2, str_to_date),
];

fn int(value: impl Into<i64>) -> Val<'static> {
    Val::Int(value.into())
}

/// A function of the first argument as date and time.
fn date(args: &Args<'_>, of: impl Fn(DateTime) -> Option<Val<'static>>) -> Result {
    Ok(args.get(0).to_datetime(args.zone)?.and_then(of).unwrap_or(Val::Null))
}

/// A function of the microseconds of the first argument as TIME.
fn time(args: &Args<'_>, of: impl Fn(i64) -> i64) -> Result {
    let time = args.get(0).to_time(args.zone);
    Ok(time.map_or(Val::Null, |t| Val::Int(of(time_micros(t)))))
}

/// 0 for Monday.
fn weekday(date: Date) -> Option<i64> {
    // 1970-01-01 was a Thursday.
    Some((day_number(date)? + 3).rem_euclid(7))
}

fn day_of_year(date: Date) -> Option<i64> {
    let first = Date { month: 1, day: 1, ..date };
    Some(day_number(date)? - day_number(first)? + 1)
}

fn day_name(date: Date) -> Option<&'static str> {
    WEEKDAYS.get(usize::try_from(weekday(date)?).ok()?).copied()
}

fn month_name(date: Date) -> Option<&'static str> {
    MONTHS.get(usize::from(date.month).checked_sub(1)?).copied()
}

fn last_day(date: Date) -> Option<Val<'static>> {
    let day = days_in_month(date.year, date.month);
    (date.month > 0).then_some(Val::Date(Date { day, ..date }))
}

fn from_days(args: &Args<'_>) -> Result {
    let days = args.int(0).saturating_sub(TO_DAYS_EPOCH);
    Ok(from_day_number(days).map_or(Val::Null, Val::Date))
}

fn datediff(args: &Args<'_>) -> Result {
    let day = |i: usize| -> std::result::Result<Option<i64>, EvalError> {
        Ok(args.get(i).to_datetime(args.zone)?.and_then(|v| day_number(v.date)))
    };
    Ok(match (day(0)?, day(1)?) {
        (Some(a), Some(b)) => Val::Int(a - b),
        _ => Val::Null,
    })
}

fn unix_timestamp(args: &Args<'_>) -> Result {
    let Some(local) = args.get(0).to_datetime(args.zone)? else { return Ok(Val::Null) };
    let Some(seconds) = args.zone.epoch(local).filter(|s| *s >= 0) else { return Ok(Val::Int(0)) };
    if local.micro == 0 {
        return Ok(Val::Int(seconds));
    }
    let fraction = temporal::fraction_text(local.micro, local.decimals.max(1));
    let number = Decimal::parse(&format!("{seconds}{fraction}"));
    Ok(number.map_or(Val::Null, Val::Dec))
}

fn from_unixtime(args: &Args<'_>) -> Result {
    let micros = match args.num(0) {
        Num::Dec(d) => d.mul(Decimal::from(SECOND)).and_then(Decimal::to_i64),
        Num::Real(v) => Some((v * SECOND as f64).round() as i64),
        whole => whole.to_i64().checked_mul(SECOND),
    };
    let Some(micros) = micros.filter(|m| (0..=32_536_771_199 * SECOND).contains(m)) else {
        return Ok(Val::Null);
    };
    let micro = u32::try_from(micros % SECOND).unwrap_or(0);
    let decimals = if micro == 0 { 0 } else { 6 };
    let local = args.zone.at(micros / SECOND, micro, decimals);
    if args.len() == 1 { Ok(Val::DateTime(local)) } else { format(local, &args.str(1)) }
}

fn date_format(args: &Args<'_>) -> Result {
    match args.get(0).to_datetime(args.zone)? {
        Some(value) => format(value, &args.str(1)),
        None => Ok(Val::Null),
    }
}

/// Midnight and noon are 12.
fn twelve(hour: u8) -> u8 {
    if hour.is_multiple_of(12) { 12 } else { hour % 12 }
}

fn format(v: DateTime, pattern: &str) -> Result {
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(specifier) = chars.next() else { break };
        match format_one(v, specifier)? {
            Some(text) => out.push_str(&text),
            None => return Ok(Val::Null),
        }
    }
    Ok(Val::text(out))
}

/// One `%` specifier; `Ok(None)` when the date has no such part.
fn format_one(v: DateTime, specifier: char) -> std::result::Result<Option<String>, EvalError> {
    let d = v.date;
    let two = |n: u8| Some(format!("{n:02}"));
    let half = if v.hour < 12 { "AM" } else { "PM" };
    let short = |name: &str| name.chars().take(3).collect::<String>();
    Ok(match specifier {
        'Y' => Some(format!("{:04}", d.year)),
        'y' => Some(format!("{:02}", d.year % 100)),
        'm' => two(d.month),
        'c' => Some(d.month.to_string()),
        'd' => two(d.day),
        'e' => Some(d.day.to_string()),
        'H' => two(v.hour),
        'k' => Some(v.hour.to_string()),
        'h' | 'I' => two(twelve(v.hour)),
        'l' => Some(twelve(v.hour).to_string()),
        'i' => two(v.minute),
        's' | 'S' => two(v.second),
        'f' => Some(format!("{:06}", v.micro)),
        'p' => Some(half.to_string()),
        'T' => Some(format!("{:02}:{:02}:{:02}", v.hour, v.minute, v.second)),
        'r' => Some(format!("{:02}:{:02}:{:02} {half}", twelve(v.hour), v.minute, v.second)),
        'M' => month_name(d).map(str::to_string),
        'b' => month_name(d).map(short),
        'W' => day_name(d).map(str::to_string),
        'a' => day_name(d).map(short),
        'w' => weekday(d).map(|w| ((w + 1) % 7).to_string()),
        'j' => day_of_year(d).map(|n| format!("{n:03}")),
        'U' | 'u' | 'V' | 'v' | 'X' | 'x' | 'D' => {
            return Err(EvalError::Unsupported(format!("DATE_FORMAT with %{specifier}")));
        }
        other => Some(other.to_string()),
    })
}

/// What STR_TO_DATE has read so far.
#[derive(Default)]
struct Parts {
    date: Date,
    hour: u8,
    minute: u8,
    second: u8,
    micro: u32,
    afternoon: Option<bool>,
    dated: bool,
    timed: bool,
}

fn str_to_date(args: &Args<'_>) -> Result {
    let (text, pattern) = (args.str(0), args.str(1));
    let mut parts = Parts::default();
    let mut rest: &str = text.trim_start();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let next = match c {
            '%' => match chars.next() {
                Some(specifier) => read_one(&mut parts, specifier, rest.trim_start())?,
                None => None,
            },
            c if c.is_whitespace() => Some(rest.trim_start()),
            c => rest.trim_start().strip_prefix(c),
        };
        match next {
            Some(next) => rest = next,
            None => return Ok(Val::Null),
        }
    }
    let hour = match parts.afternoon {
        None => parts.hour,
        Some(pm) => parts.hour % 12 + if pm { 12 } else { 0 },
    };
    let value = DateTime {
        date: parts.date,
        hour,
        minute: parts.minute,
        second: parts.second,
        micro: parts.micro,
        decimals: if parts.micro == 0 { 0 } else { 6 },
    };
    let fits = value.hour < 24
        && value.minute < 60
        && value.second < 60
        && parts.date.month <= 12
        && parts.date.day <= days_in_month(parts.date.year, parts.date.month);
    Ok(match (fits, parts.dated, parts.timed) {
        (true, true, true) => Val::DateTime(value),
        (true, true, false) => Val::Date(value.date),
        (true, false, true) => Val::Time(temporal::time_of_day(value)),
        _ => Val::Null,
    })
}

/// Reads what one specifier stands for; `Ok(None)` when it is not there.
fn read_one<'t>(
    parts: &mut Parts,
    specifier: char,
    text: &'t str,
) -> std::result::Result<Option<&'t str>, EvalError> {
    let digits = |most: usize| -> Option<(u32, &'t str)> {
        let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = text.split_at(end);
        Some((digits.parse().ok()?, rest))
    };
    let small = |most: usize| digits(most).and_then(|(n, r)| Some((u8::try_from(n).ok()?, r)));
    parts.dated |= matches!(specifier, 'Y' | 'y' | 'm' | 'c' | 'd' | 'e' | 'M' | 'b');
    parts.timed |= !matches!(specifier, 'Y' | 'y' | 'm' | 'c' | 'd' | 'e' | 'M' | 'b' | '%');
    let mut set = |target: fn(&mut Parts) -> &mut u8| {
        small(2).map(|(n, rest)| {
            *target(parts) = n;
            rest
        })
    };
    Ok(match specifier {
        'm' | 'c' => set(|p| &mut p.date.month),
        'd' | 'e' => set(|p| &mut p.date.day),
        'H' | 'k' | 'h' | 'I' | 'l' => set(|p| &mut p.hour),
        'i' => set(|p| &mut p.minute),
        's' | 'S' => set(|p| &mut p.second),
        'Y' => digits(4).and_then(|(n, rest)| {
            parts.date.year = u16::try_from(n).ok()?;
            Some(rest)
        }),
        'y' => digits(2).and_then(|(n, rest)| {
            parts.date.year = u16::try_from(if n < 70 { n + 2000 } else { n + 1900 }).ok()?;
            Some(rest)
        }),
        'f' => {
            let end = text.bytes().take(6).take_while(u8::is_ascii_digit).count();
            let (found, rest) = text.split_at(end);
            parts.micro = format!("{found:0<6}").parse().unwrap_or(0);
            (end > 0).then_some(rest)
        }
        'T' => read_clock(parts, text)?,
        'p' => {
            let word = text.get(..2).unwrap_or_default().to_ascii_uppercase();
            parts.afternoon = Some(word == "PM");
            if matches!(word.as_str(), "AM" | "PM") { text.get(2..) } else { None }
        }
        'M' | 'b' => {
            let length = |name: &str| if specifier == 'b' { 3 } else { name.len() };
            let found = MONTHS.iter().enumerate().find(|(_, name)| {
                let wanted = name.get(..length(name)).unwrap_or_default();
                text.get(..wanted.len()).is_some_and(|t| t.eq_ignore_ascii_case(wanted))
            });
            found.and_then(|(i, name)| {
                parts.date.month = u8::try_from(i + 1).ok()?;
                text.get(length(name)..)
            })
        }
        '%' => text.strip_prefix('%'),
        other => return Err(EvalError::Unsupported(format!("STR_TO_DATE with %{other}"))),
    })
}

/// `%T`: hours, minutes and seconds with colons between.
fn read_clock<'t>(
    parts: &mut Parts,
    text: &'t str,
) -> std::result::Result<Option<&'t str>, EvalError> {
    let mut rest = Some(text);
    for (i, part) in ['H', 'i', 's'].into_iter().enumerate() {
        let Some(at) = rest else { break };
        let at = if i == 0 { Some(at) } else { at.strip_prefix(':') };
        rest = match at {
            Some(at) => read_one(parts, part, at)?,
            None => None,
        };
    }
    Ok(rest)
}
