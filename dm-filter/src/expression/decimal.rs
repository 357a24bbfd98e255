//! Exact decimal numbers, as wide as the server's.
//!
//! A number is a sign, twelve limbs of nine digits (least significant first) and a scale: 108
//! digits, enough to bring any two of the server's 65-digit numbers to one scale. It is `Copy`, so
//! that evaluating a row allocates nothing for it.

use std::cmp::Ordering;
use std::fmt;

const LIMBS: usize = 12;
const WIDE: usize = 2 * LIMBS;
const BASE: u64 = 1_000_000_000;
/// The server keeps at most this many digits after the point.
pub(super) const MAX_SCALE: u8 = 30;

/// A decimal number: `(-1)^negative * limbs / 10^scale`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    negative: bool,
    scale: u8,
    limbs: [u32; LIMBS],
}

/// Multiplies by a small number and adds another; the carry is lost if it is not returned as zero.
fn mul_add(limbs: &mut [u32], factor: u32, add: u32) -> u32 {
    let mut carry = u64::from(add);
    for limb in limbs {
        let sum = u64::from(*limb) * u64::from(factor) + carry;
        *limb = (sum % BASE) as u32;
        carry = sum / BASE;
    }
    carry as u32
}

/// Divides by a small number; returns the remainder.
fn div_small(limbs: &mut [u32], divisor: u32) -> u32 {
    let mut rest = 0u64;
    for limb in limbs.iter_mut().rev() {
        let value = rest * BASE + u64::from(*limb);
        *limb = (value / u64::from(divisor)) as u32;
        rest = value % u64::from(divisor);
    }
    rest as u32
}

fn compare(a: &[u32], b: &[u32]) -> Ordering {
    a.iter().rev().cmp(b.iter().rev())
}

/// `a -= b`, where `a >= b`.
fn subtract(a: &mut [u32], b: &[u32]) {
    let mut borrow = 0i64;
    for (x, y) in a.iter_mut().zip(b) {
        let mut value = i64::from(*x) - i64::from(*y) - borrow;
        borrow = i64::from(value < 0);
        if value < 0 {
            value += BASE as i64;
        }
        *x = value as u32;
    }
}

fn is_zero(limbs: &[u32]) -> bool {
    limbs.iter().all(|l| *l == 0)
}

/// The narrow form of a wide number, if it fits.
fn narrow(wide: &[u32; WIDE]) -> Option<[u32; LIMBS]> {
    let (low, high) = wide.split_at(LIMBS);
    if is_zero(high) { low.try_into().ok() } else { None }
}

/// Takes digits off the right, rounding half away from zero.
fn drop_digits(limbs: &mut [u32], count: u32) {
    for _ in 1..count {
        div_small(limbs, 10);
    }
    if count > 0 && div_small(limbs, 10) >= 5 {
        mul_add(limbs, 1, 1);
    }
}

impl Decimal {
    pub(super) const ZERO: Self = Self { negative: false, scale: 0, limbs: [0; LIMBS] };

    /// Reads `-12.50`; nothing else may stand in the text. Digits beyond what a number can hold
    /// make it `None`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..)?),
            Some(b'+') => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut number = Self { negative, scale: u8::try_from(fraction.len()).ok()?, ..Self::ZERO };
        for c in whole.bytes().chain(fraction.bytes()) {
            if !c.is_ascii_digit() || mul_add(&mut number.limbs, 10, u32::from(c - b'0')) != 0 {
                return None;
            }
        }
        Some(if number.scale > MAX_SCALE { number.rounded(MAX_SCALE) } else { number })
    }

    pub(super) fn is_zero(&self) -> bool {
        is_zero(&self.limbs)
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative && !self.is_zero()
    }

    pub(super) fn scale(&self) -> u8 {
        self.scale
    }

    #[must_use]
    pub(super) fn negated(mut self) -> Self {
        self.negative = !self.negative;
        self
    }

    #[must_use]
    pub(super) fn abs(mut self) -> Self {
        self.negative = false;
        self
    }

    /// The same number with more digits after the point; `None` if it does not fit.
    fn widened(mut self, scale: u8) -> Option<Self> {
        while self.scale < scale {
            if mul_add(&mut self.limbs, 10, 0) != 0 {
                return None;
            }
            self.scale += 1;
        }
        Some(self)
    }

    /// Rounded half away from zero to at most `scale` digits after the point.
    #[must_use]
    pub(super) fn rounded(mut self, scale: u8) -> Self {
        if scale < self.scale {
            drop_digits(&mut self.limbs, u32::from(self.scale - scale));
            self.scale = scale;
        }
        self
    }

    /// Cut off after `scale` digits.
    #[must_use]
    pub(super) fn truncated(mut self, scale: u8) -> Self {
        while scale < self.scale {
            div_small(&mut self.limbs, 10);
            self.scale -= 1;
        }
        self
    }

    /// The nearest whole number below or equal.
    pub(super) fn floor(self) -> Option<Self> {
        let whole = self.truncated(0);
        if self.is_negative() && whole != self { whole.sub(Self::from(1i64)) } else { Some(whole) }
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.widened(scale)?, other.widened(scale)?);
        if a.negative != b.negative {
            let (mut large, small) =
                if compare(&a.limbs, &b.limbs).is_ge() { (a, b) } else { (b, a) };
            subtract(&mut large.limbs, &small.limbs);
            return Some(large);
        }
        let mut sum = a;
        let mut carry = 0u64;
        for (x, y) in sum.limbs.iter_mut().zip(b.limbs) {
            let value = u64::from(*x) + u64::from(y) + carry;
            *x = (value % BASE) as u32;
            carry = value / BASE;
        }
        (carry == 0).then_some(sum)
    }

    pub(super) fn sub(self, other: Self) -> Option<Self> {
        self.add(other.negated())
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        let mut wide = [0u32; WIDE];
        for (i, x) in self.limbs.iter().enumerate().filter(|(_, x)| **x != 0) {
            let mut carry = 0u64;
            for (j, place) in wide.iter_mut().skip(i).enumerate() {
                let factor = u64::from(other.limbs.get(j).copied().unwrap_or(0));
                let value = u64::from(*place) + u64::from(*x) * factor + carry;
                *place = (value % BASE) as u32;
                carry = value / BASE;
            }
        }
        let mut scale = self.scale + other.scale;
        if scale > MAX_SCALE {
            drop_digits(&mut wide, u32::from(scale - MAX_SCALE));
            scale = MAX_SCALE;
        }
        Some(Self { negative: self.negative != other.negative, scale, limbs: narrow(&wide)? })
    }

    /// Quotient with `scale` digits after the point, cut off, and whether it divides by zero.
    fn quotient(self, other: Self, scale: u8) -> Option<Self> {
        // value = (a / 10^sa) / (b / 10^sb) = a * 10^(scale + sb - sa) / b, at that scale.
        let shift = i32::from(scale) + i32::from(other.scale) - i32::from(self.scale);
        let mut numerator = [0u32; WIDE];
        for (wide, limb) in numerator.iter_mut().zip(self.limbs) {
            *wide = limb;
        }
        for _ in 0..shift {
            if mul_add(&mut numerator, 10, 0) != 0 {
                return None;
            }
        }
        for _ in shift..0 {
            div_small(&mut numerator, 10);
        }
        let quotient = long_division(&numerator, &other.limbs);
        Some(Self { negative: self.negative != other.negative, scale, limbs: narrow(&quotient)? })
    }

    /// `/`: the server gives four more digits than the dividend has, rounded. `None` if it does
    /// not fit; the divisor must not be zero.
    pub(super) fn div(self, other: Self) -> Option<Self> {
        let scale = (self.scale + 4).min(MAX_SCALE);
        Some(self.quotient(other, scale + 1)?.rounded(scale))
    }

    /// `DIV`: the whole part of the quotient.
    pub(super) fn div_whole(self, other: Self) -> Option<Self> {
        self.quotient(other, 0)
    }

    /// `%`: what is left, with the sign of the dividend.
    pub(super) fn rem(self, other: Self) -> Option<Self> {
        let whole = self.div_whole(other)?;
        self.sub(whole.mul(other)?)
    }

    pub(super) fn to_f64(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The nearest integer, if it fits.
    pub(super) fn to_i64(self) -> Option<i64> {
        self.rounded(0).to_string().parse().ok()
    }

    /// The nearest unsigned integer, if it fits.
    pub(super) fn to_u64(self) -> Option<u64> {
        self.rounded(0).to_string().parse().ok()
    }
}

/// Schoolbook division in base ten: at most 216 steps of nine subtractions.
fn long_division(numerator: &[u32; WIDE], divisor: &[u32; LIMBS]) -> [u32; WIDE] {
    let mut quotient = [0u32; WIDE];
    // One limb more than the divisor, for the remainder times ten.
    let mut rest = [0u32; LIMBS + 1];
    let mut by = [0u32; LIMBS + 1];
    for (wide, limb) in by.iter_mut().zip(divisor) {
        *wide = *limb;
    }
    for limb in numerator.iter().rev().skip_while(|l| **l == 0) {
        let mut power = 100_000_000;
        while power > 0 {
            mul_add(&mut rest, 10, limb / power % 10);
            let mut digit = 0;
            while !is_zero(&by) && compare(&rest, &by).is_ge() {
                subtract(&mut rest, &by);
                digit += 1;
            }
            mul_add(&mut quotient, 10, digit);
            power /= 10;
        }
    }
    quotient
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        let mut number = Self::ZERO;
        let mut rest = value;
        for limb in number.limbs.iter_mut().take(3) {
            *limb = (rest % BASE) as u32;
            rest /= BASE;
        }
        number
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self { negative: value < 0, ..Self::from(value.unsigned_abs()) }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |d: &Self| {
            if d.is_zero() {
                0
            } else if d.negative {
                -1
            } else {
                1
            }
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign.is_ne() || self.is_zero() {
            return by_sign;
        }
        let scale = self.scale.max(other.scale);
        let magnitudes = match (self.widened(scale), other.widened(scale)) {
            (Some(a), Some(b)) => compare(&a.limbs, &b.limbs),
            // Only the larger one can fail to fit.
            (None, _) => Ordering::Greater,
            (_, None) => Ordering::Less,
        };
        if self.negative { magnitudes.reverse() } else { magnitudes }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = String::with_capacity(LIMBS * 9);
        for limb in self.limbs.iter().rev() {
            digits.push_str(&format!("{limb:09}"));
        }
        let point = digits.len() - usize::from(self.scale);
        let (whole, fraction) = digits.split_at(point);
        let whole = whole.trim_start_matches('0');
        if self.is_negative() {
            f.write_str("-")?;
        }
        f.write_str(if whole.is_empty() { "0" } else { whole })?;
        if fraction.is_empty() { Ok(()) } else { write!(f, ".{fraction}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dec(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn sixty_five_digits_are_exact() {
        let nines = "9".repeat(65);
        assert_eq!(dec(&nines).to_string(), nines);
        assert_eq!(dec(&nines).add(dec("1")).unwrap().to_string(), format!("1{}", "0".repeat(65)));
        assert!(dec("0.000000000000000000000000000001") < dec(&nines));
        assert_eq!(dec("-0.0").to_string(), "0.0");
        assert_eq!(dec("-0.0"), dec("0"));
    }

    #[test]
    fn division_gives_four_more_digits_rounded() {
        assert_eq!(dec("1").div(dec("3")).unwrap().to_string(), "0.3333");
        assert_eq!(dec("2").div(dec("3")).unwrap().to_string(), "0.6667");
        assert_eq!(dec("-2.50").div(dec("0.3")).unwrap().to_string(), "-8.333333");
        assert_eq!(dec("-7.5").div_whole(dec("2")).unwrap().to_string(), "-3");
        assert_eq!(dec("-7.5").rem(dec("2")).unwrap().to_string(), "-1.5");
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        assert_eq!(dec("2.5").rounded(0).to_string(), "3");
        assert_eq!(dec("-2.5").rounded(0).to_string(), "-3");
        assert_eq!(dec("2.449").rounded(1).to_string(), "2.4");
        assert_eq!(dec("-2.9").truncated(0).to_string(), "-2");
        assert_eq!(dec("-2.1").floor().unwrap().to_string(), "-3");
    }

    #[test]
    fn only_numbers_are_read() {
        for bad in ["", "-", ".", "1e3", " 1", "1.2.3", "a"] {
            assert!(Decimal::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(dec(".5").to_string(), "0.5");
        assert_eq!(dec("5.").to_string(), "5");
    }

    proptest! {
        #[test]
        fn integers_behave_as_integers(a in -1_000_000_000_000i64..1_000_000_000_000, b in any::<i32>()) {
            let (x, y) = (Decimal::from(a), Decimal::from(i64::from(b)));
            let b = i128::from(b);
            let a = i128::from(a);
            prop_assert_eq!(x.add(y).unwrap().to_string(), (a + b).to_string());
            prop_assert_eq!(x.sub(y).unwrap().to_string(), (a - b).to_string());
            prop_assert_eq!(x.mul(y).unwrap().to_string(), (a * b).to_string());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            if b != 0 {
                prop_assert_eq!(x.div_whole(y).unwrap().to_string(), (a / b).to_string());
                prop_assert_eq!(x.rem(y).unwrap().to_string(), (a % b).to_string());
            }
        }

        #[test]
        fn order_does_not_depend_on_the_scale(a in -100_000i64..100_000, b in -100_000i64..100_000, zeros in 0usize..9) {
            let text = |v: i64| format!("{}{}.{:03}", if v < 0 { "-" } else { "" }, v.abs() / 1000, v.abs() % 1000);
            let padded = format!("{}{}", text(b), "0".repeat(zeros));
            prop_assert_eq!(dec(&text(a)).cmp(&dec(&padded)), a.cmp(&b));
        }
    }
}
