//! Functions on numbers, and those that choose among values.

use std::cmp::Ordering;

use super::{ANY, Args, Function, lenient, strict};
use crate::expression::decimal::{Decimal, MAX_SCALE};
use crate::expression::error::EvalError;
use crate::expression::value::{Num, Val};

type Result = std::result::Result<Val<'static>, EvalError>;

pub(super) const FUNCTIONS: &[Function] = &[
    strict("ABS", 1, 1, abs),
    strict("CEIL", 1, 1, |a| whole(a, true)),
    strict("CEILING", 1, 1, |a| whole(a, true)),
    strict("FLOOR", 1, 1, |a| whole(a, false)),
    strict("ROUND", 1, 2, |a| places(a, false)),
    strict("TRUNCATE", 2, 2, |a| places(a, true)),
    strict("SIGN", 1, 1, sign),
    strict("POW", 2, 2, |a| real(a.num(0).to_f64().powf(a.num(1).to_f64()), "POW()")),
    strict("POWER", 2, 2, |a| real(a.num(0).to_f64().powf(a.num(1).to_f64()), "POWER()")),
    strict("SQRT", 1, 1, |a| Ok(or_null(a.num(0).to_f64().sqrt()))),
    strict("EXP", 1, 1, |a| real(a.num(0).to_f64().exp(), "EXP()")),
    strict("LN", 1, 1, |a| Ok(logarithm(a, 0, std::f64::consts::E))),
    strict("LOG", 1, 2, log),
    strict("LOG2", 1, 1, |a| Ok(logarithm(a, 0, 2.0))),
    strict("LOG10", 1, 1, |a| Ok(logarithm(a, 0, 10.0))),
    strict("GREATEST", 2, ANY, |a| extreme(a, Ordering::Greater)),
    strict("LEAST", 2, ANY, |a| extreme(a, Ordering::Less)),
    strict("BIT_COUNT", 1, 1, |a| Ok(Val::Int(i64::from(a.int(0).count_ones())))),
    lenient("NULLIF", 2, 2, null_if),
];

fn out_of_range(what: &str) -> EvalError {
    EvalError::OutOfRange(what.to_string())
}

fn real(value: f64, what: &str) -> Result {
    if value.is_finite() { Ok(Val::Real(value)) } else { Err(out_of_range(what)) }
}

fn or_null(value: f64) -> Val<'static> {
    if value.is_finite() { Val::Real(value) } else { Val::Null }
}

fn abs(args: &Args<'_>) -> Result {
    Ok(match args.num(0) {
        Num::Int(v) => Val::Int(v.checked_abs().ok_or_else(|| out_of_range("ABS()"))?),
        Num::UInt(v) => Val::UInt(v),
        Num::Dec(v) => Val::Dec(v.abs()),
        Num::Real(v) => Val::Real(v.abs()),
    })
}

/// CEIL and FLOOR.
fn whole(args: &Args<'_>, up: bool) -> Result {
    Ok(match args.num(0) {
        Num::Real(v) => Val::Real(if up { v.ceil() } else { v.floor() }),
        Num::Dec(v) => {
            let floor = if up { v.negated().floor().map(Decimal::negated) } else { v.floor() };
            let floor = floor.ok_or_else(|| out_of_range("CEIL() or FLOOR()"))?;
            floor.to_i64().map_or(Val::Dec(floor), Val::Int)
        }
        integer => Val::from(integer),
    })
}

/// ROUND and TRUNCATE; a negative number of places works left of the point.
fn places(args: &Args<'_>, cut: bool) -> Result {
    let places = args.int_or(1, 0);
    let scale = u8::try_from(places.clamp(0, i64::from(MAX_SCALE))).unwrap_or(0);
    let number = match args.num(0) {
        Num::Real(v) => {
            let power = 10f64.powi(i32::try_from(places.clamp(-308, 308)).unwrap_or(0));
            let shifted = v * power;
            let moved = if cut { shifted.trunc() } else { shifted.round_ties_even() };
            return Ok(Val::Real(if shifted.is_finite() { moved / power } else { v }));
        }
        integer @ (Num::Int(_) | Num::UInt(_)) if places >= 0 => return Ok(Val::from(integer)),
        other => other.to_decimal().unwrap_or(Decimal::ZERO),
    };
    let adjust = |d: Decimal, scale: u8| if cut { d.truncated(scale) } else { d.rounded(scale) };
    if places >= 0 {
        return Ok(Val::Dec(adjust(number, scale)));
    }
    let mut power = Decimal::from(1i64);
    for _ in 0..places.unsigned_abs().min(66) {
        power = power.mul(Decimal::from(10i64)).ok_or_else(|| out_of_range("ROUND()"))?;
    }
    let shifted = if cut {
        number.div_whole(power)
    } else {
        // Half a power away from zero, then cut: the same as rounding half away from zero.
        let half = power.div_whole(Decimal::from(2i64));
        half.and_then(|h| if number.is_negative() { number.sub(h) } else { number.add(h) })
            .and_then(|n| n.div_whole(power))
    };
    let result = shifted.and_then(|s| s.mul(power)).ok_or_else(|| out_of_range("ROUND()"))?;
    Ok(match (args.num(0), result.to_i64()) {
        (Num::Int(_), Some(v)) => Val::Int(v),
        _ => Val::Dec(result),
    })
}

fn sign(args: &Args<'_>) -> Result {
    let order = args.num(0).compare(Num::Int(0)).unwrap_or(Ordering::Equal);
    Ok(Val::Int(order as i64))
}

fn logarithm(args: &Args<'_>, index: usize, base: f64) -> Val<'static> {
    let value = args.num(index).to_f64();
    if value <= 0.0 {
        return Val::Null;
    }
    Val::Real(if base == 10.0 {
        value.log10()
    } else if base == 2.0 {
        value.log2()
    } else {
        value.ln() / base.ln()
    })
}

fn log(args: &Args<'_>) -> Result {
    if args.len() == 1 {
        return Ok(logarithm(args, 0, std::f64::consts::E));
    }
    let base = args.num(0).to_f64();
    Ok(if base <= 0.0 || base == 1.0 { Val::Null } else { logarithm(args, 1, base) })
}

fn extreme(args: &Args<'_>, wanted: Ordering) -> Result {
    let mut best = args.get(0);
    for value in args.values.iter().skip(1) {
        if value.compare(best, args.zone)? == Some(wanted) {
            best = value;
        }
    }
    Ok(best.clone().into_owned())
}

fn null_if(args: &Args<'_>) -> Result {
    let equal = args.get(0).compare(args.get(1), args.zone)? == Some(Ordering::Equal);
    Ok(if equal { Val::Null } else { args.get(0).clone().into_owned() })
}
