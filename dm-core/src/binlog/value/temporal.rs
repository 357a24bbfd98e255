//! Dates and times: the formats since MySQL 5.6, those before it, and MariaDB's own with
//! fractions (`mysql56_temporal_format=OFF`).
//!
//! Fields out of range are errors, so that nothing impossible is passed on; zero and partly zero
//! dates are possible values.

use dm_filter::{Date, DateTime, Time, Timestamp};

use super::super::bytes::{Bytes, uint_be};
use super::super::{Result, malformed};

fn field<T: TryFrom<u64>>(value: u64, max: u64) -> Result<T> {
    let fits = T::try_from(value).ok().filter(|_| value <= max);
    fits.ok_or_else(|| malformed(format!("a part of a date or time is {value}, more than {max}")))
}

fn make_date(year: u64, month: u64, day: u64) -> Result<Date> {
    Ok(Date { year: field(year, 9999)?, month: field(month, 12)?, day: field(day, 31)? })
}

/// DATE: 5 bits of day, 4 of month, the rest year.
pub(crate) fn date(packed: u64) -> Result<Date> {
    make_date(packed >> 9, (packed >> 5) & 0xF, packed & 0x1F)
}

/// TIME before 5.6: the decimal number HHMMSS.
pub(crate) fn old_time(number: i64) -> Result<Time> {
    let n = number.unsigned_abs();
    Ok(Time {
        negative: number < 0,
        hours: field(n / 10_000, 838)?,
        minutes: field(n / 100 % 100, 59)?,
        seconds: field(n % 100, 59)?,
        micro: 0,
        decimals: 0,
    })
}

/// DATETIME before 5.6: the decimal number YYYYMMDDHHMMSS.
pub(crate) fn old_datetime(number: u64) -> Result<DateTime> {
    let (day, time) = (number / 1_000_000, number % 1_000_000);
    Ok(DateTime {
        date: make_date(day / 10_000, day / 100 % 100, day % 100)?,
        hour: field(time / 10_000, 23)?,
        minute: field(time / 100 % 100, 59)?,
        second: field(time % 100, 59)?,
        micro: 0,
        decimals: 0,
    })
}

/// TIMESTAMP before 5.6.
pub(crate) fn old_timestamp(seconds: u32) -> Timestamp {
    Timestamp { seconds: i64::from(seconds), micro: 0, decimals: 0 }
}

/// Bytes that hold so many fractional digits, two a byte.
pub(crate) fn fraction_bytes(decimals: u8) -> usize {
    usize::from(decimals).div_ceil(2)
}

/// Micros of a fraction that counts in units of its bytes' two digits each.
fn micros(fraction: u64, bytes: usize) -> Result<u32> {
    let unit = [0, 10_000, 100, 1].get(bytes).copied().unwrap_or(1);
    field(fraction.saturating_mul(unit), 999_999)
}

/// TIME: one number of seconds' bit fields and fraction, offset so that it sorts.
pub(crate) fn time(b: &mut Bytes<'_>, decimals: u8) -> Result<Time> {
    let fraction = fraction_bytes(decimals);
    let bits = 8 * fraction as u32;
    let raw = uint_be(b.take(3 + fraction)?) as i64 - (0x80_0000_i64 << bits);
    let n = raw.unsigned_abs();
    let whole = n >> bits;
    Ok(Time {
        negative: raw < 0,
        hours: field((whole >> 12) & 0x3FF, 838)?,
        minutes: field((whole >> 6) & 0x3F, 59)?,
        seconds: field(whole & 0x3F, 59)?,
        micro: micros(n & ((1 << bits) - 1), fraction)?,
        decimals,
    })
}

/// DATETIME: bit fields of five bytes, big-endian, offset so that it sorts; then the fraction.
pub(crate) fn datetime(b: &mut Bytes<'_>, decimals: u8) -> Result<DateTime> {
    let whole = uint_be(b.take(5)?)
        .checked_sub(0x80_0000_0000)
        .ok_or_else(|| malformed("a DATETIME is negative"))?;
    let fraction = fraction_bytes(decimals);
    let micro = micros(uint_be(b.take(fraction)?), fraction)?;
    let months = whole >> 22;
    Ok(DateTime {
        date: make_date(months / 13, months % 13, (whole >> 17) & 0x1F)?,
        hour: field((whole >> 12) & 0x1F, 23)?,
        minute: field((whole >> 6) & 0x3F, 59)?,
        second: field(whole & 0x3F, 59)?,
        micro,
        decimals,
    })
}

/// TIMESTAMP: big-endian seconds, then the fraction.
pub(crate) fn timestamp(b: &mut Bytes<'_>, decimals: u8) -> Result<Timestamp> {
    let seconds = i64::from(u32::from_be_bytes(b.array()?));
    let fraction = fraction_bytes(decimals);
    let micro = micros(uint_be(b.take(fraction)?), fraction)?;
    Ok(Timestamp { seconds, micro, decimals })
}

/// Ten to the number of digits that a value of so many decimals lacks to microseconds.
fn to_micros(decimals: u8) -> u64 {
    10u64.pow(6 - u32::from(decimals.min(6)))
}

/// MariaDB's TIMESTAMP with a fraction: big-endian seconds and units of the last digit.
pub(crate) fn hires_timestamp(b: &mut Bytes<'_>, decimals: u8) -> Result<Timestamp> {
    let seconds = i64::from(u32::from_be_bytes(b.array()?));
    let units = uint_be(b.take(fraction_bytes(decimals))?);
    Ok(Timestamp { seconds, micro: field(units * to_micros(decimals), 999_999)?, decimals })
}

/// A number in mixed radix, from the lowest digit.
fn digit(n: &mut u64, radix: u64) -> u64 {
    let low = *n % radix;
    *n /= radix;
    low
}

/// MariaDB's DATETIME with a fraction: a number in mixed radix, counted in its last digit.
pub(crate) fn hires_datetime(b: &mut Bytes<'_>, decimals: u8) -> Result<DateTime> {
    let length = [5, 6, 6, 7, 7, 7, 8].get(usize::from(decimals)).copied().unwrap_or(8);
    let mut n = uint_be(b.take(length)?)
        .checked_mul(to_micros(decimals))
        .ok_or_else(|| malformed("a DATETIME is too large"))?;
    let micro = digit(&mut n, 1_000_000) as u32;
    let (second, minute) = (digit(&mut n, 60) as u8, digit(&mut n, 60) as u8);
    let (hour, day, month) = (digit(&mut n, 24) as u8, digit(&mut n, 32), digit(&mut n, 13));
    let date = make_date(n, month, day)?;
    Ok(DateTime { date, hour, minute, second, micro, decimals })
}

/// MariaDB's TIME with a fraction: micros in units of the last digit, offset by one second more
/// than the largest time.
pub(crate) fn hires_time(b: &mut Bytes<'_>, decimals: u8) -> Result<Time> {
    const ZERO: u64 = (838 * 3600 + 59 * 60 + 59 + 1) * 1_000_000;
    let length = [3, 4, 4, 5, 5, 5, 6].get(usize::from(decimals)).copied().unwrap_or(6);
    let unit = to_micros(decimals);
    let raw = uint_be(b.take(length)?) as i64 - (ZERO / unit) as i64;
    let mut n = raw.unsigned_abs().saturating_mul(unit);
    let micro = digit(&mut n, 1_000_000) as u32;
    let (seconds, minutes) = (digit(&mut n, 60) as u8, digit(&mut n, 60) as u8);
    Ok(Time { negative: raw < 0, hours: field(n, 838)?, minutes, seconds, micro, decimals })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(negative: bool, hours: u16, minutes: u8, seconds: u8, micro: u32, decimals: u8) -> Time {
        Time { negative, hours, minutes, seconds, micro, decimals }
    }

    #[test]
    fn times_of_both_eras() {
        let read = |bytes: &[u8], decimals| time(&mut Bytes(bytes), decimals).unwrap();
        assert_eq!(read(&[0x80, 0, 0], 0), t(false, 0, 0, 0, 0, 0));
        assert_eq!(read(&[0x7F, 0xFF, 0xFF, 0xF6], 1), t(true, 0, 0, 0, 100_000, 1));
        assert_eq!(read(&[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 6), t(true, 0, 0, 0, 1, 6));
        assert_eq!(read(&[0xB4, 0x6E, 0xFB], 0), t(false, 838, 59, 59, 0, 0));
        assert_eq!(old_time(-8_385_959).unwrap(), t(true, 838, 59, 59, 0, 0));
        assert_eq!(old_time(123_456).unwrap(), t(false, 12, 34, 56, 0, 0));
        assert!(old_time(-9_999_999).is_err());
    }

    #[test]
    fn dates_of_both_eras() {
        let day = Date { year: 2024, month: 2, day: 29 };
        let expected =
            DateTime { date: day, hour: 12, minute: 34, second: 56, micro: 0, decimals: 0 };
        assert_eq!(old_datetime(20_240_229_123_456).unwrap(), expected);
        assert_eq!(old_datetime(0).unwrap(), DateTime::default());
        assert_eq!(date((2024 << 9) | (2 << 5) | 29).unwrap(), day);
        assert!(date(u64::from(u32::MAX)).is_err());
        assert!(old_datetime(20_241_300_000_000).is_err());
        assert!(datetime(&mut Bytes(&[0x7F, 0, 0, 0, 0]), 0).is_err());
    }
}
