//! Expression filters: rows that an SQL expression says not to carry.
//!
//! The dialect is MySQL's: its operators and their precedence, three-valued logic, its rules of
//! comparing values of different types, and the functions that make sense for one row. Decimals
//! are exact, dates are compared as dates, and text compares by the collation of its column.
//!
//! * Literals compare by the default collation of current MySQL (`utf8mb4_0900_ai_ci`); text
//!   columns whose collation is not known compare byte by byte.
//! * TIMESTAMP values are seen in the zone of the task, UTC if it names none. A literal may carry
//!   an offset (`'2021-01-01 12:34:56+08:00'`), which always counts.
//! * What depends on the clock, on chance or on the session (`NOW()`, `RAND()`, `@x`) is refused,
//!   unlike in DM: the same row is judged again when its part of the binlog is read again.
//! * Only a result of exactly 1 is true. NULL, 0, 2 and text leave the row in.

mod ast;
mod cast;
mod collation;
mod decimal;
mod error;
mod eval;
mod filter;
mod functions;
mod json;
#[cfg(test)]
mod laws;
mod lexer;
mod parser;
mod temporal;
mod value;

use ast::{Expr, Pattern};
use collation::Collation;
use decimal::Decimal;
use parser::ColumnName;
use value::Val;

use crate::change::{Columns, Row};

pub use error::{EvalError, ExprError};
pub use filter::ExpressionFilter;
pub use temporal::{UnknownZone, Zone};

/// An expression, ready to be evaluated on the rows of one version of a table.
///
/// ```
/// use dm_filter::{Columns, CompiledExpr, Row, Zone};
///
/// let columns = Columns::named(["id", "c"]);
/// let expr = CompiledExpr::compile("c % 2 = 0", &columns, &Zone::utc()).unwrap();
/// assert!(expr.is_true(&Row::full([1.into(), 4.into()]), &columns).unwrap());
/// assert!(!expr.is_true(&Row::full([1.into(), 3.into()]), &columns).unwrap());
/// ```
#[derive(Clone, Debug)]
pub struct CompiledExpr {
    expr: Expr,
    /// For each column of the expression, its place in the row and how its text compares.
    places: Vec<(usize, Collation)>,
    zone: Zone,
}

impl CompiledExpr {
    /// Reads an expression and finds its columns.
    ///
    /// # Errors
    ///
    /// [`ExprError`]; an unknown column is told apart from an expression that cannot be read,
    /// because the next DDL may add it.
    pub fn compile(text: &str, columns: &Columns, zone: &Zone) -> Result<Self, ExprError> {
        let (expr, names) = prepare(text, zone)?;
        let place = |name: &ColumnName| {
            let index = columns.index_of(&name.column)?;
            Some((index, Collation::named(&columns.get(index)?.collation)))
        };
        let place = |name: &ColumnName| {
            place(name).ok_or_else(|| ExprError::UnknownColumn(name.column.clone()))
        };
        let places = names.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { expr, places, zone: zone.clone() })
    }

    /// True when the expression's value is exactly 1.
    ///
    /// `columns` must describe the same version of the table that the expression was compiled for.
    ///
    /// # Errors
    ///
    /// [`EvalError`] when the row has no answer: a column that its image does not carry, a number
    /// that fits no type.
    pub fn is_true(&self, row: &Row<'_>, columns: &Columns) -> Result<bool, EvalError> {
        let context =
            eval::Context { row: Some((row, columns)), places: &self.places, zone: &self.zone };
        Ok(is_one(&context.eval(&self.expr)?))
    }

    /// The value of the expression as text, `None` for NULL: for messages and tests.
    ///
    /// # Errors
    ///
    /// As [`CompiledExpr::is_true`].
    pub fn value_text(
        &self,
        row: &Row<'_>,
        columns: &Columns,
    ) -> Result<Option<String>, EvalError> {
        let context =
            eval::Context { row: Some((row, columns)), places: &self.places, zone: &self.zone };
        Ok(context.eval(&self.expr)?.to_text().map(std::borrow::Cow::into_owned))
    }
}

/// True for a number that is exactly 1, the only value that DM takes for true.
fn is_one(value: &Val<'_>) -> bool {
    match value {
        Val::Int(v) => *v == 1,
        Val::UInt(v) => *v == 1,
        Val::Dec(v) => *v == Decimal::from(1i64),
        Val::Real(v) => *v == 1.0,
        _ => false,
    }
}

/// Reads an expression and computes what needs no row.
fn prepare(text: &str, zone: &Zone) -> Result<(Expr, Vec<ColumnName>), ExprError> {
    let (mut expr, names) = parser::parse(text, zone)?;
    fold(&mut expr, zone)?;
    Ok((expr, names))
}

/// Computes what needs no row, from the leaves up.
fn fold(expr: &mut Expr, zone: &Zone) -> Result<(), ExprError> {
    let mut constant = !matches!(expr, Expr::Column(_));
    for child in expr.children_mut() {
        fold(child, zone)?;
        constant &= matches!(child, Expr::Const(_));
    }
    if constant && !matches!(expr, Expr::Const(_)) {
        let context = eval::Context { row: None, places: &[], zone };
        let value = context.eval(expr)?.into_owned();
        *expr = Expr::Const(value);
    }
    if let Expr::Regexp { pattern, .. } = expr {
        let fixed = match pattern {
            Pattern::Dynamic(inner) => match &**inner {
                Expr::Const(value) => value.to_text().map(std::borrow::Cow::into_owned),
                _ => None,
            },
            Pattern::Fixed { .. } => None,
        };
        if let Some(text) = fixed {
            *pattern = Pattern::Fixed {
                sensitive: eval::regex_for(&text, true)?,
                insensitive: eval::regex_for(&text, false)?,
            };
        }
    }
    Ok(())
}
