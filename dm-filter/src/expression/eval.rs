//! Evaluates an expression on a row.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};

use super::ast::{Arith, Bits, Compare, Expr, Is, Pattern, SpanPart, Unit};
use super::cast::cast;
use super::collation::Collation;
use super::decimal::Decimal;
use super::error::EvalError;
use super::functions::like_match;
use super::temporal::{self, Interval, SECOND, Zone, of_day, time_from_micros};
use super::value::{Claim, Num, Text, Val};
use crate::change::{Columns, Row};
use crate::value::{DateTime, Time};

type Result<T> = std::result::Result<T, EvalError>;

/// What an expression is evaluated on.
pub(super) struct Context<'v> {
    /// The row; without one, columns have no value.
    pub(super) row: Option<(&'v Row<'v>, &'v Columns)>,
    /// For each column of the expression, its place in the row and how its text compares.
    pub(super) places: &'v [(usize, Collation)],
    pub(super) zone: &'v Zone,
}

pub(super) fn out_of_range(what: &str) -> EvalError {
    EvalError::OutOfRange(what.to_string())
}

/// A compiled regular expression; it matches whole characters and finds, it need not begin at the
/// start.
pub(super) fn regex_for(pattern: &str, sensitive: bool) -> Result<Regex> {
    RegexBuilder::new(pattern)
        .case_insensitive(!sensitive)
        .build()
        .map_err(|e| EvalError::Regex(e.to_string()))
}

impl<'v> Context<'v> {
    pub(super) fn eval(&'v self, expr: &'v Expr) -> Result<Val<'v>> {
        match expr {
            Expr::Const(value) => Ok(value.reborrow()),
            Expr::Column(slot) => self.column(*slot),
            Expr::Not(inner) => Ok(self.truth(inner)?.map(|t| !t).into()),
            Expr::Negate(inner) => negate(&self.eval(inner)?),
            Expr::BitNot(inner) => {
                Ok(bits_of(&self.eval(inner)?).map_or(Val::Null, |b| Val::UInt(!b)))
            }
            Expr::And(list) => self.chain(list, false),
            Expr::Or(list) => self.chain(list, true),
            Expr::Xor(a, b) => Ok(self.truth(a)?.zip(self.truth(b)?).map(|(a, b)| a != b).into()),
            Expr::Arith(op, a, b) => arithmetic(*op, &self.eval(a)?, &self.eval(b)?),
            Expr::Bits(op, a, b) => Ok(bit_operation(*op, &self.eval(a)?, &self.eval(b)?)),
            Expr::Compare(op, a, b) => self.compare(*op, &self.eval(a)?, &self.eval(b)?),
            Expr::Between { value, low, high } => self.between(value, low, high),
            Expr::In { value, list } => self.is_in(value, list),
            Expr::Like { value, pattern, escape } => self.like(value, pattern, *escape),
            Expr::Regexp { value, pattern } => self.regexp(value, pattern),
            Expr::Is { value, what } => self.is(value, *what),
            Expr::Case { arms, otherwise } => {
                for (condition, result) in arms {
                    if self.truth(condition)? == Some(true) {
                        return self.eval(result);
                    }
                }
                self.eval(otherwise)
            }
            Expr::Coalesce(list) => {
                for expr in list {
                    let value = self.eval(expr)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Val::Null)
            }
            Expr::Call { function, args } => {
                let args = args.iter().map(|a| self.eval(a)).collect::<Result<Vec<_>>>()?;
                function.call(args, self.zone)
            }
            Expr::Cast { value, to } => cast(self.eval(value)?, *to, self.zone),
            Expr::Collate { value, collation } => Ok(collate(&self.eval(value)?, *collation)),
            Expr::DateAdd { date, amount, unit, negative } => {
                self.date_add(date, amount, *unit, *negative)
            }
            Expr::DateDiff { unit, from, to } => self.date_diff(*unit, from, to),
            Expr::Extract { unit, value } => self.extract(*unit, value),
        }
    }

    fn truth(&'v self, expr: &'v Expr) -> Result<Option<bool>> {
        Ok(self.eval(expr)?.truth())
    }

    fn column(&'v self, slot: usize) -> Result<Val<'v>> {
        let (Some((row, columns)), Some(&(place, collation))) = (self.row, self.places.get(slot))
        else {
            return Err(EvalError::MissingColumn(format!("#{slot}")));
        };
        let missing = || {
            let name = columns.get(place).map_or_else(String::new, |c| c.name.clone());
            EvalError::MissingColumn(name)
        };
        let value = row.get(place).ok_or_else(missing)?;
        Val::from_cell(value, columns.get(place).ok_or_else(missing)?, collation, self.zone)
    }

    /// AND (`decisive` false) and OR (`decisive` true): one decisive operand settles it, else one
    /// that is unknown makes the whole unknown.
    fn chain(&'v self, list: &'v [Expr], decisive: bool) -> Result<Val<'v>> {
        let mut unknown = false;
        for expr in list {
            match self.truth(expr)? {
                Some(truth) if truth == decisive => return Ok(Val::from(decisive)),
                Some(_) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown { Val::Null } else { Val::from(!decisive) })
    }

    fn compare(&self, op: Compare, a: &Val<'_>, b: &Val<'_>) -> Result<Val<'v>> {
        if op == Compare::NullSafeEq {
            let equal = match (a.is_null(), b.is_null()) {
                (true, true) => true,
                (false, false) => a.compare(b, self.zone)? == Some(Ordering::Equal),
                _ => false,
            };
            return Ok(Val::from(equal));
        }
        if a.is_null() || b.is_null() {
            return Ok(Val::Null);
        }
        let order = a.compare(b, self.zone)?;
        Ok(match (op, order) {
            (Compare::Eq, Some(o)) => Val::from(o.is_eq()),
            (Compare::Ne, Some(o)) => Val::from(o.is_ne()),
            (Compare::Lt, Some(o)) => Val::from(o.is_lt()),
            (Compare::Le, Some(o)) => Val::from(o.is_le()),
            (Compare::Gt, Some(o)) => Val::from(o.is_gt()),
            (Compare::Ge, Some(o)) => Val::from(o.is_ge()),
            // JSON values of different kinds are not equal, but have no order here.
            (Compare::Eq, None) if is_json(a, b) => Val::from(false),
            (Compare::Ne, None) if is_json(a, b) => Val::from(true),
            _ => Val::Null,
        })
    }

    fn between(&'v self, value: &'v Expr, low: &'v Expr, high: &'v Expr) -> Result<Val<'v>> {
        let value = self.eval(value)?;
        let above = self.compare(Compare::Ge, &value, &self.eval(low)?)?.truth();
        let below = self.compare(Compare::Le, &value, &self.eval(high)?)?.truth();
        Ok(match (above, below) {
            (Some(false), _) | (_, Some(false)) => Val::from(false),
            (Some(true), Some(true)) => Val::from(true),
            _ => Val::Null,
        })
    }

    fn is_in(&'v self, value: &'v Expr, list: &'v [Expr]) -> Result<Val<'v>> {
        let value = self.eval(value)?;
        let mut unknown = value.is_null();
        for expr in list {
            if unknown && value.is_null() {
                break;
            }
            match self.compare(Compare::Eq, &value, &self.eval(expr)?)?.truth() {
                Some(true) => return Ok(Val::from(true)),
                Some(false) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown { Val::Null } else { Val::from(false) })
    }

    fn like(&'v self, value: &'v Expr, pattern: &'v Expr, escape: Option<char>) -> Result<Val<'v>> {
        let (value, pattern) = (self.eval(value)?, self.eval(pattern)?);
        let (Some(text), Some(pattern)) = (value.as_text(), pattern.as_text()) else {
            return Ok(Val::Null);
        };
        let collation = text.common(&pattern).0;
        Ok(Val::from(like_match(&text.text, &pattern.text, escape, collation)))
    }

    fn regexp(&'v self, value: &'v Expr, pattern: &'v Pattern) -> Result<Val<'v>> {
        let value = self.eval(value)?;
        let Some(text) = value.as_text() else { return Ok(Val::Null) };
        let found = match pattern {
            Pattern::Fixed { sensitive, insensitive } => {
                let ignores_case = text.common(&Text::literal("")).0.ignores_case();
                let regex = if ignores_case { insensitive } else { sensitive };
                regex.is_match(&text.text)
            }
            Pattern::Dynamic(pattern) => {
                let pattern = self.eval(pattern)?;
                let Some(pattern) = pattern.as_text() else { return Ok(Val::Null) };
                let sensitive = !text.common(&pattern).0.ignores_case();
                regex_for(&pattern.text, sensitive)?.is_match(&text.text)
            }
        };
        Ok(Val::from(found))
    }

    fn is(&'v self, value: &'v Expr, what: Is) -> Result<Val<'v>> {
        let value = self.eval(value)?;
        Ok(Val::from(match what {
            Is::Null => value.is_null(),
            Is::True => value.truth() == Some(true),
            Is::False => value.truth() == Some(false),
        }))
    }

    fn date_add(
        &'v self,
        date: &'v Expr,
        amount: &'v Expr,
        unit: Unit,
        negative: bool,
    ) -> Result<Val<'v>> {
        let (date, amount) = (self.eval(date)?, self.eval(amount)?);
        let Some(interval) = amount.to_text().and_then(|t| Interval::new(&t, unit, negative))
        else {
            return Ok(Val::Null);
        };
        if let Val::Time(time) = date {
            let moved = interval.span().and_then(|s| s.checked_add(temporal::time_micros(time)));
            let decimals = if interval.fine { 6 } else { time.decimals };
            return Ok(moved.map_or(Val::Null, |m| Val::Time(time_from_micros(m, decimals))));
        }
        let timed = match &date {
            Val::Date(_) => false,
            Val::DateTime(_) => true,
            other => other
                .to_text()
                .and_then(|t| temporal::read_datetime(&t, self.zone))
                .is_some_and(|r| r.timed),
        };
        let moved = date.to_datetime(self.zone)?.and_then(|v| interval.shift(v));
        Ok(match moved {
            None => Val::Null,
            Some(value) if timed || interval.timed => Val::DateTime(value),
            Some(value) => Val::Date(value.date),
        })
    }

    fn date_diff(&'v self, unit: Unit, from: &'v Expr, to: &'v Expr) -> Result<Val<'v>> {
        let (from, to) = (self.eval(from)?, self.eval(to)?);
        let (Some(from), Some(to)) = (from.to_datetime(self.zone)?, to.to_datetime(self.zone)?)
        else {
            return Ok(Val::Null);
        };
        let (Some(a), Some(b)) = (temporal::to_micros(from), temporal::to_micros(to)) else {
            return Ok(Val::Null);
        };
        let size = match unit {
            Unit::Microsecond => 1,
            Unit::Second => SECOND,
            Unit::Minute => 60 * SECOND,
            Unit::Hour => 3600 * SECOND,
            Unit::Day => temporal::DAY,
            Unit::Week => 7 * temporal::DAY,
            Unit::Month => return Ok(Val::Int(months_between(from, to))),
            Unit::Quarter => return Ok(Val::Int(months_between(from, to) / 3)),
            Unit::Year => return Ok(Val::Int(months_between(from, to) / 12)),
            Unit::Span(..) | Unit::YearMonth => {
                return Err(EvalError::Unsupported("TIMESTAMPDIFF of a composite unit".into()));
            }
        };
        Ok(Val::Int((b - a) / size))
    }

    fn extract(&'v self, unit: Unit, value: &'v Expr) -> Result<Val<'v>> {
        let value = self.eval(value)?;
        let dated = match unit {
            Unit::Day | Unit::Week | Unit::Month | Unit::Quarter | Unit::Year | Unit::YearMonth => {
                true
            }
            Unit::Span(first, _) => first == SpanPart::Day,
            _ => false,
        };
        let dated = dated && !matches!(value, Val::Time(_));
        let (date, time): (DateTime, Time) = if dated {
            let Some(v) = value.to_datetime(self.zone)? else { return Ok(Val::Null) };
            (v, temporal::time_of_day(v))
        } else {
            let Some(t) = value.to_time(self.zone) else { return Ok(Val::Null) };
            (DateTime::default(), t)
        };
        let d = date.date;
        let number = match unit {
            Unit::Year => i64::from(d.year),
            Unit::Quarter => i64::from(d.month.div_ceil(3)),
            Unit::Month => i64::from(d.month),
            Unit::YearMonth => i64::from(d.year) * 100 + i64::from(d.month),
            Unit::Day => i64::from(d.day),
            Unit::Hour => i64::from(time.hours),
            Unit::Minute => i64::from(time.minutes),
            Unit::Second => i64::from(time.seconds),
            Unit::Microsecond => i64::from(time.micro),
            Unit::Week => return Err(EvalError::Unsupported("EXTRACT(WEEK)".into())),
            Unit::Span(first, last) => {
                let digits = [
                    (SpanPart::Day, i64::from(d.day), 100),
                    (SpanPart::Hour, i64::from(time.hours), 100),
                    (SpanPart::Minute, i64::from(time.minutes), 100),
                    (SpanPart::Second, i64::from(time.seconds), 100),
                    (SpanPart::Micro, i64::from(time.micro), 1_000_000),
                ];
                let wanted = digits.iter().filter(|(part, ..)| (first..=last).contains(part));
                wanted.fold(0, |sum, (_, value, width)| sum * width + value)
            }
        };
        Ok(Val::Int(if time.negative { -number } else { number }))
    }
}

fn is_json(a: &Val<'_>, b: &Val<'_>) -> bool {
    matches!(a, Val::Json(_)) || matches!(b, Val::Json(_))
}

/// Whole months from one moment to another.
fn months_between(from: DateTime, to: DateTime) -> i64 {
    let months = |v: DateTime| i64::from(v.date.year) * 12 + i64::from(v.date.month);
    let within = |v: DateTime| (v.date.day, of_day(v));
    let whole = months(to) - months(from);
    match whole.cmp(&0) {
        Ordering::Greater if within(to) < within(from) => whole - 1,
        Ordering::Less if within(to) > within(from) => whole + 1,
        _ => whole,
    }
}

fn negate<'v>(value: &Val<'_>) -> Result<Val<'v>> {
    Ok(match value.to_num() {
        None => Val::Null,
        Some(Num::Int(v)) => match v.checked_neg() {
            Some(negated) => Val::Int(negated),
            None => Val::Dec(Decimal::from(v).negated()),
        },
        Some(Num::UInt(v)) => {
            let exact = Decimal::from(v).negated();
            exact.to_i64().map_or(Val::Dec(exact), Val::Int)
        }
        Some(Num::Dec(v)) => Val::Dec(v.negated()),
        Some(Num::Real(v)) => Val::Real(-v),
    })
}

/// A number as 64 bits, rounded.
pub(super) fn bits_of(value: &Val<'_>) -> Option<u64> {
    Some(match value.to_num()? {
        Num::UInt(v) => v,
        Num::Dec(d) if !d.is_negative() => d.to_u64().unwrap_or(u64::MAX),
        other => other.to_i64() as u64,
    })
}

fn bit_operation<'v>(op: Bits, a: &Val<'_>, b: &Val<'_>) -> Val<'v> {
    let (Some(a), Some(b)) = (bits_of(a), bits_of(b)) else { return Val::Null };
    let shift = u32::try_from(b).unwrap_or(u32::MAX);
    Val::UInt(match op {
        Bits::And => a & b,
        Bits::Or => a | b,
        Bits::Xor => a ^ b,
        Bits::Left => a.checked_shl(shift).unwrap_or(0),
        Bits::Right => a.checked_shr(shift).unwrap_or(0),
    })
}

/// Arithmetic: with a floating-point number (text counts as one) in doubles, with a decimal
/// exactly, else in integers, unsigned as soon as one of them is.
fn arithmetic<'v>(op: Arith, a: &Val<'_>, b: &Val<'_>) -> Result<Val<'v>> {
    let (Some(x), Some(y)) = (a.to_num(), b.to_num()) else { return Ok(Val::Null) };
    if matches!(op, Arith::Div | Arith::IntDiv | Arith::Mod) && y.is_zero() {
        return Ok(Val::Null);
    }
    match (x, y) {
        (Num::Int(_) | Num::UInt(_), Num::Int(_) | Num::UInt(_)) if op != Arith::Div => {
            integers(op, x, y)
        }
        _ => match (x.to_decimal(), y.to_decimal()) {
            (Some(x), Some(y)) => decimals(op, x, y),
            _ => reals(op, x.to_f64(), y.to_f64()),
        },
    }
}

fn integers<'v>(op: Arith, x: Num, y: Num) -> Result<Val<'v>> {
    let wide = |n: Num| match n {
        Num::UInt(v) => i128::from(v),
        other => i128::from(other.to_i64()),
    };
    let (a, b) = (wide(x), wide(y));
    let unsigned = match op {
        Arith::Mod => matches!(x, Num::UInt(_)),
        _ => matches!(x, Num::UInt(_)) || matches!(y, Num::UInt(_)),
    };
    // Two 64-bit numbers never leave 128 bits; the divisor was found not to be zero.
    let result = match op {
        Arith::Add => a.checked_add(b),
        Arith::Sub => a.checked_sub(b),
        Arith::Mul => a.checked_mul(b),
        Arith::Mod => a.checked_rem(b),
        Arith::IntDiv | Arith::Div => a.checked_div(b),
    };
    let value = result.and_then(|r| {
        if unsigned {
            u64::try_from(r).ok().map(Val::UInt)
        } else {
            i64::try_from(r).ok().map(Val::Int)
        }
    });
    value.ok_or_else(|| out_of_range(op.sign()))
}

fn decimals<'v>(op: Arith, x: Decimal, y: Decimal) -> Result<Val<'v>> {
    let result = match op {
        Arith::Add => x.add(y),
        Arith::Sub => x.sub(y),
        Arith::Mul => x.mul(y),
        Arith::Div => x.div(y),
        Arith::Mod => x.rem(y),
        Arith::IntDiv => {
            let whole = x.div_whole(y).and_then(Decimal::to_i64);
            return whole.map(Val::Int).ok_or_else(|| out_of_range(op.sign()));
        }
    };
    result.map(Val::Dec).ok_or_else(|| out_of_range(op.sign()))
}

fn reals<'v>(op: Arith, x: f64, y: f64) -> Result<Val<'v>> {
    let result = match op {
        Arith::Add => x + y,
        Arith::Sub => x - y,
        Arith::Mul => x * y,
        Arith::Div => x / y,
        Arith::Mod => x % y,
        Arith::IntDiv => {
            let whole = (x / y).trunc();
            let fits = whole >= i64::MIN as f64 && whole < i64::MAX as f64;
            return if fits { Ok(Val::Int(whole as i64)) } else { Err(out_of_range(op.sign())) };
        }
    };
    if result.is_finite() { Ok(Val::Real(result)) } else { Err(out_of_range(op.sign())) }
}

fn collate<'v>(value: &Val<'_>, collation: Collation) -> Val<'v> {
    match value.as_text() {
        None => Val::Null,
        Some(text) => Val::Text(Text {
            text: Cow::Owned(text.text.into_owned()),
            collation,
            claim: Claim::Explicit,
            ordinal: None,
        }),
    }
}
