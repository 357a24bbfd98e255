//! INTERVAL: amounts of time that dates are shifted by.

use super::calendar::{DAY, HOUR, SECOND, days_in_month, from_micros, to_micros};
use crate::expression::ast::{SpanPart, Unit};
use crate::expression::decimal::Decimal;
use crate::value::DateTime;

/// An amount of INTERVAL: months, and microseconds beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interval {
    months: i64,
    micros: i64,
    /// True when parts smaller than a day are meant, so that a date becomes a date and time.
    pub(crate) timed: bool,
    /// True when microseconds are meant.
    pub(crate) fine: bool,
}

impl Interval {
    /// `amount` as the text of the literal; the units made of parts read `'1 2:3'`.
    pub(crate) fn new(amount: &str, unit: Unit, negative: bool) -> Option<Self> {
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
    pub(crate) fn shift(self, value: DateTime) -> Option<DateTime> {
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
    pub(crate) fn span(self) -> Option<i64> {
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
    use crate::expression::temporal::{Zone, datetime_text, read_datetime};

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
}
