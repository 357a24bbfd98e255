//! What can be wrong with an expression, before and while it is evaluated.

/// Why an expression cannot be used for a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExprError {
    /// The text is no expression.
    #[error("at character {at}: found {found}, expected {expected}")]
    Syntax {
        /// The place, counted from 1.
        at: usize,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// The table has no such column.
    #[error("the table has no column `{0}`")]
    UnknownColumn(String),
    /// There is no such function, or it is one that makes no sense for a single row.
    #[error("the function {0}() is not known to expression filters")]
    UnknownFunction(String),
    /// The function's result depends on more than the row.
    #[error(
        "the function {0}() has another result at another time or in another session, so that a \
         row read again after a restart could be judged differently; compare with a literal instead"
    )]
    NotRepeatable(String),
    /// A function has too few or too many arguments.
    #[error("the function {function}() takes {expected} arguments, found {found}")]
    Arguments {
        /// Its name.
        function: String,
        /// How many were given.
        found: usize,
        /// How many it takes.
        expected: String,
    },
    /// A part of the expression without columns has no value.
    #[error(transparent)]
    Constant(#[from] EvalError),
}

/// Why an expression has no value for a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The row image does not carry a column (`binlog_row_image` is not FULL).
    #[error("the row image does not carry column `{0}`")]
    MissingColumn(String),
    /// The result of a calculation fits no type.
    #[error("the result of {0} is out of range")]
    OutOfRange(String),
    /// A literal that is compared with a date or time is none.
    #[error("`{0}` is not a date or time")]
    NotATime(String),
    /// A JSON document or path cannot be read.
    #[error("not valid JSON or JSON path: {0}")]
    Json(String),
    /// A regular expression cannot be read.
    #[error("not a valid regular expression: {0}")]
    Regex(String),
    /// Text in a character set that cannot be compared here.
    #[error("text in character set {0} cannot be evaluated")]
    Charset(String),
    /// The members of an ENUM or SET column are not known, or do not reach this value.
    #[error("the members of ENUM or SET column `{0}` are not known")]
    UnknownLabel(String),
    /// Something that the server can do and this evaluator cannot.
    #[error("{0} is not supported in expression filters")]
    Unsupported(String),
    /// TIME against DATETIME means the current day, which a replay would not see again.
    #[error("a TIME cannot be compared with a date: that would need the current day")]
    NeedsToday,
}
