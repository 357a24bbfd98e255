//! The functions that filters may call, by name, and those that they may not.
//!
//! A row is judged again when its part of the binlog is read again after a restart, so a function
//! whose result depends on the clock, on chance or on the session is refused when the expression
//! is compiled.

mod date;
mod json;
mod math;
mod text;

use std::borrow::Cow;

pub(super) use text::like_match;

use super::error::{EvalError, ExprError};
use super::temporal::Zone;
use super::value::{Num, Text, Val};

type Run = for<'a, 'b> fn(&'b Args<'a>) -> Result<Val<'static>, EvalError>;

/// A function: its name, how many arguments it takes, and what it does.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    least: usize,
    most: usize,
    /// False when one NULL among the arguments makes the result NULL.
    sees_null: bool,
    run: Run,
}

/// The arguments of a call.
pub(super) struct Args<'a> {
    values: Vec<Val<'a>>,
    zone: &'a Zone,
}

impl Args<'_> {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn get(&self, index: usize) -> &Val<'_> {
        self.values.get(index).unwrap_or(&Val::Null)
    }

    fn is_null(&self, index: usize) -> bool {
        self.get(index).is_null()
    }

    /// The argument as text; empty for NULL.
    fn text(&self, index: usize) -> Text<'_> {
        self.get(index).as_text().unwrap_or_else(|| Text::literal(""))
    }

    fn str(&self, index: usize) -> Cow<'_, str> {
        self.get(index).to_text().unwrap_or_default()
    }

    fn num(&self, index: usize) -> Num {
        self.get(index).to_num().unwrap_or(Num::Int(0))
    }

    fn int(&self, index: usize) -> i64 {
        self.num(index).to_i64()
    }

    /// The argument as an integer, or a default when it is not given.
    fn int_or(&self, index: usize, default: i64) -> i64 {
        if index < self.len() { self.int(index) } else { default }
    }
}

impl Function {
    pub(super) fn check(&self, found: usize) -> Result<(), ExprError> {
        if (self.least..=self.most).contains(&found) {
            return Ok(());
        }
        let expected = match (self.least, self.most) {
            (least, usize::MAX) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        Err(ExprError::Arguments { function: self.name.to_string(), found, expected })
    }

    pub(super) fn call(
        &self,
        values: Vec<Val<'_>>,
        zone: &Zone,
    ) -> Result<Val<'static>, EvalError> {
        if !self.sees_null && values.iter().any(Val::is_null) {
            return Ok(Val::Null);
        }
        (self.run)(&Args { values, zone })
    }
}

/// What depends on more than the row.
const NOT_REPEATABLE: &[&str] = &[
    "NOW",
    "CURRENT_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "SYSDATE",
    "CURDATE",
    "CURRENT_DATE",
    "CURTIME",
    "CURRENT_TIME",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "RAND",
    "UUID",
    "UUID_SHORT",
    "RANDOM_BYTES",
    "CONNECTION_ID",
    "USER",
    "CURRENT_USER",
    "SESSION_USER",
    "SYSTEM_USER",
    "CURRENT_ROLE",
    "DATABASE",
    "SCHEMA",
    "VERSION",
    "LAST_INSERT_ID",
    "ROW_COUNT",
    "FOUND_ROWS",
    "SLEEP",
    "BENCHMARK",
    "GET_LOCK",
    "RELEASE_LOCK",
    "IS_FREE_LOCK",
    "IS_USED_LOCK",
    "LOAD_FILE",
];

/// True for the functions of the clock and the session that may stand without parentheses.
pub(super) fn is_bare_clock(upper: &str) -> bool {
    const BARE: &[&str] = &[
        "CURRENT_TIMESTAMP",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "UTC_DATE",
        "UTC_TIME",
        "UTC_TIMESTAMP",
        "CURRENT_USER",
    ];
    BARE.contains(&upper)
}

/// The function of a name, in upper case.
pub(super) fn find(name: &str) -> Result<&'static Function, ExprError> {
    if NOT_REPEATABLE.contains(&name) {
        return Err(ExprError::NotRepeatable(name.to_string()));
    }
    let tables = [text::FUNCTIONS, math::FUNCTIONS, date::FUNCTIONS, json::FUNCTIONS];
    let mut all = tables.into_iter().flatten();
    all.find(|f| f.name == name).ok_or_else(|| ExprError::UnknownFunction(name.to_string()))
}

/// A function that is not called when an argument is NULL.
const fn strict(name: &'static str, least: usize, most: usize, run: Run) -> Function {
    Function { name, least, most, sees_null: false, run }
}

/// A function that looks at NULL itself.
const fn lenient(name: &'static str, least: usize, most: usize, run: Run) -> Function {
    Function { name, least, most, sees_null: true, run }
}

/// For any number of arguments.
const ANY: usize = usize::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::decimal::Decimal;
    use crate::value::{Date, DateTime, Time};

    fn awkward() -> Vec<Val<'static>> {
        let last = Date { year: 9999, month: 12, day: 31 };
        vec![
            Val::Null,
            Val::text(""),
            Val::text("xé%_"),
            Val::text("9999-12-31 23:59:59.999999"),
            Val::text("-838:59:59"),
            Val::text(r#"{"a": [1, "x"]}"#),
            Val::text("$.a[0]"),
            Val::text("%Y-%m-%d %T %f %b %p"),
            Val::Int(i64::MIN),
            Val::Int(2),
            Val::UInt(u64::MAX),
            Val::Real(1e308),
            Val::Dec(Decimal::parse(&format!("-{}.5", "9".repeat(64))).unwrap()),
            Val::Bytes(vec![0xff, 0].into()),
            Val::Date(Date::default()),
            Val::DateTime(DateTime { date: last, hour: 23, ..DateTime::default() }),
            Val::Time(Time { negative: true, hours: 838, ..Time::default() }),
        ]
    }

    /// Every function on every combination of awkward arguments: an answer or an error.
    #[test]
    fn no_argument_makes_a_function_panic() {
        let values = awkward();
        let zone = Zone::parse("+05:45").unwrap();
        let mut calls = 0;
        for function in [text::FUNCTIONS, math::FUNCTIONS, date::FUNCTIONS, json::FUNCTIONS]
            .into_iter()
            .flatten()
        {
            for count in function.least..=function.most.min(3) {
                let combinations = values.len().pow(u32::try_from(count).unwrap());
                for mut number in 0..combinations {
                    let mut args = Vec::with_capacity(count);
                    for _ in 0..count {
                        args.push(values[number % values.len()].reborrow());
                        number /= values.len();
                    }
                    calls += usize::from(function.call(args, &zone).is_ok());
                }
            }
        }
        assert!(calls > 10_000, "{calls} calls had an answer");
    }

    #[test]
    fn names_are_unique_and_upper_case() {
        let all = [text::FUNCTIONS, math::FUNCTIONS, date::FUNCTIONS, json::FUNCTIONS];
        let mut names: Vec<&str> = all.into_iter().flatten().map(|f| f.name).collect();
        assert!(names.iter().all(|n| *n == n.to_uppercase() && !NOT_REPEATABLE.contains(n)));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
