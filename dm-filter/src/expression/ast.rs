//! The shape of an expression.

use regex::Regex;

use super::collation::Collation;
use super::functions::Function;
use super::value::Val;

/// An expression. Columns are numbered in the order in which they are first named.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Const(Val<'static>),
    Column(usize),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    BitNot(Box<Expr>),
    /// Two or more conditions; long chains stay flat.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Xor(Box<Expr>, Box<Expr>),
    Arith(Arith, Box<Expr>, Box<Expr>),
    Bits(Bits, Box<Expr>, Box<Expr>),
    Compare(Compare, Box<Expr>, Box<Expr>),
    Between {
        value: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    In {
        value: Box<Expr>,
        list: Vec<Expr>,
    },
    Like {
        value: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<char>,
    },
    Regexp {
        value: Box<Expr>,
        pattern: Pattern,
    },
    Is {
        value: Box<Expr>,
        what: Is,
    },
    /// `CASE WHEN`, and `IF`: conditions and results, then what holds otherwise.
    Case {
        arms: Vec<(Expr, Expr)>,
        otherwise: Box<Expr>,
    },
    Coalesce(Vec<Expr>),
    Call {
        function: &'static Function,
        args: Vec<Expr>,
    },
    Cast {
        value: Box<Expr>,
        to: CastType,
    },
    Collate {
        value: Box<Expr>,
        collation: Collation,
    },
    /// `date + INTERVAL amount unit`
    DateAdd {
        date: Box<Expr>,
        amount: Box<Expr>,
        unit: Unit,
        negative: bool,
    },
    /// `TIMESTAMPDIFF(unit, from, to)`
    DateDiff {
        unit: Unit,
        from: Box<Expr>,
        to: Box<Expr>,
    },
    /// `EXTRACT(unit FROM value)`
    Extract {
        unit: Unit,
        value: Box<Expr>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    IntDiv,
    Mod,
}

impl Arith {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::IntDiv => "DIV",
            Self::Mod => "%",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bits {
    And,
    Or,
    Xor,
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Eq,
    NullSafeEq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Null,
    True,
    False,
}

/// The right side of REGEXP: compiled once when it is a constant.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Dynamic(Box<Expr>),
    Fixed { sensitive: Regex, insensitive: Regex },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CastType {
    Signed,
    Unsigned,
    Char(Option<usize>),
    Binary(Option<usize>),
    Date,
    DateTime(u8),
    Time(u8),
    Decimal(u8),
    Double,
    Json,
    Year,
}

/// The units of INTERVAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Microsecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    /// `DAY_SECOND` and the like: the first and last of day, hour, minute, second, microsecond.
    Span(SpanPart, SpanPart),
    YearMonth,
}

/// The parts of which a unit like `DAY_SECOND` is made, from the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SpanPart {
    Day,
    Hour,
    Minute,
    Second,
    Micro,
}

impl Unit {
    pub(super) fn named(word: &str) -> Option<Self> {
        use SpanPart::{Day, Hour, Micro, Minute, Second};
        let word = word.to_ascii_uppercase();
        Some(match word.strip_prefix("SQL_TSI_").unwrap_or(&word) {
            "MICROSECOND" => Self::Microsecond,
            "SECOND" => Self::Second,
            "MINUTE" => Self::Minute,
            "HOUR" => Self::Hour,
            "DAY" => Self::Day,
            "WEEK" => Self::Week,
            "MONTH" => Self::Month,
            "QUARTER" => Self::Quarter,
            "YEAR" => Self::Year,
            "YEAR_MONTH" => Self::YearMonth,
            "DAY_HOUR" => Self::Span(Day, Hour),
            "DAY_MINUTE" => Self::Span(Day, Minute),
            "DAY_SECOND" => Self::Span(Day, Second),
            "DAY_MICROSECOND" => Self::Span(Day, Micro),
            "HOUR_MINUTE" => Self::Span(Hour, Minute),
            "HOUR_SECOND" => Self::Span(Hour, Second),
            "HOUR_MICROSECOND" => Self::Span(Hour, Micro),
            "MINUTE_SECOND" => Self::Span(Minute, Second),
            "MINUTE_MICROSECOND" => Self::Span(Minute, Micro),
            "SECOND_MICROSECOND" => Self::Span(Second, Micro),
            _ => return None,
        })
    }
}

impl Expr {
    /// The parts that an expression is made of.
    pub(super) fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Self::Const(_) | Self::Column(_) => Vec::new(),
            Self::Not(a) | Self::Negate(a) | Self::BitNot(a) => vec![a],
            Self::And(list) | Self::Or(list) | Self::Coalesce(list) => list.iter_mut().collect(),
            Self::Xor(a, b)
            | Self::Arith(_, a, b)
            | Self::Bits(_, a, b)
            | Self::Compare(_, a, b) => {
                vec![a, b]
            }
            Self::Between { value, low, high } => vec![value, low, high],
            Self::In { value, list } => {
                std::iter::once(&mut **value).chain(list.iter_mut()).collect()
            }
            Self::Like { value, pattern, .. } => vec![value, pattern],
            Self::Regexp { value, pattern: Pattern::Dynamic(pattern) } => vec![value, pattern],
            Self::Regexp { value, .. }
            | Self::Is { value, .. }
            | Self::Cast { value, .. }
            | Self::Collate { value, .. }
            | Self::Extract { value, .. } => vec![value],
            Self::Case { arms, otherwise } => {
                let arms = arms.iter_mut().flat_map(|(c, r)| [c, r]);
                arms.chain(std::iter::once(&mut **otherwise)).collect()
            }
            Self::Call { args, .. } => args.iter_mut().collect(),
            Self::DateAdd { date, amount, .. } => vec![date, amount],
            Self::DateDiff { from, to, .. } => vec![from, to],
        }
    }
}
