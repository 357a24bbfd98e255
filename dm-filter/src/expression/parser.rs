//! Reads an expression by the precedence of its operators, which are MySQL's.
//!
//! | binds | operators |
//! |---|---|
//! | tightest | `COLLATE`, `->`, `->>` |
//! | | `!`, `BINARY` |
//! | | unary `-`, `~` |
//! | | `^` |
//! | | `*` `/` `DIV` `%` `MOD` |
//! | | `+` `-` |
//! | | `<<` `>>` |
//! | | `&` |
//! | | `\|` |
//! | | `IN`, `BETWEEN`, `LIKE`, `REGEXP` |
//! | | `=` `<=>` `<>` `<` `<=` `>` `>=`, `IS` |
//! | | `NOT` |
//! | | `AND` `&&` |
//! | | `XOR` |
//! | loosest | `OR` `\|\|` |

mod calls;

use super::ast::{Arith, Bits, CastType, Compare, Expr, Is, Pattern};
use super::collation::Collation;
use super::decimal::Decimal;
use super::error::ExprError;
use super::functions;
use super::lexer::{Placed, Token, tokenize};
use super::temporal::{Zone, read_datetime, read_time};
use super::value::Val;

/// How deep an expression may be nested; deeper ones could exhaust the stack.
const DEPTH: usize = 200;

const OR: u8 = 10;
const XOR: u8 = 20;
const AND: u8 = 30;
const NOT: u8 = 40;
const COMPARE: u8 = 50;
const PREDICATE: u8 = 60;
const BIT_OR: u8 = 70;
const BIT_AND: u8 = 80;
const SHIFT: u8 = 90;
const SUM: u8 = 100;
const PRODUCT: u8 = 110;
const BIT_XOR: u8 = 120;
const UNARY: u8 = 130;
const BANG: u8 = 140;
const TIGHTEST: u8 = 150;

/// Words that are no column unless they stand in back-quotes.
const RESERVED: &[&str] = &[
    "AND", "AS", "BETWEEN", "BINARY", "BY", "CASE", "COLLATE", "DISTINCT", "DIV", "ELSE", "EXISTS",
    "FROM", "HAVING", "IN", "INTERVAL", "INTO", "IS", "LIKE", "LIMIT", "MOD", "NOT", "OR", "ORDER",
    "REGEXP", "RLIKE", "SELECT", "THEN", "UNION", "WHEN", "WHERE", "XOR",
];

/// A column as it is named in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ColumnName {
    pub(super) schema: Option<String>,
    pub(super) table: Option<String>,
    pub(super) column: String,
}

/// An expression and how deep it is nested.
type Node = (Expr, usize);

pub(super) struct Parser<'z> {
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
    columns: Vec<ColumnName>,
    zone: &'z Zone,
}

/// Reads a whole text; the columns are those that [`Expr::Column`] counts.
pub(super) fn parse(text: &str, zone: &Zone) -> Result<(Expr, Vec<ColumnName>), ExprError> {
    let tokens = tokenize(text)?;
    let mut parser = Parser { tokens, at: 0, depth: 0, columns: Vec::new(), zone };
    let (expr, _) = parser.expr(0)?;
    if *parser.peek() == Token::End {
        Ok((expr, parser.columns))
    } else {
        Err(parser.unexpected("an operator or the end"))
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(t, _)| t)
    }

    fn second(&self) -> &Token {
        self.tokens.get(self.at + 1).map_or(&Token::End, |(t, _)| t)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn unexpected(&self, expected: &str) -> ExprError {
        let place = self.tokens.get(self.at).or(self.tokens.last());
        ExprError::Syntax {
            at: place.map_or(1, |(_, at)| *at),
            found: self.peek().describe(),
            expected: expected.to_string(),
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn is_mark(&self, mark: &str) -> bool {
        matches!(self.peek(), Token::Mark(m) if *m == mark)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn take_mark(&mut self, mark: &str) -> bool {
        let found = self.is_mark(mark);
        self.at += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), ExprError> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn expect_mark(&mut self, mark: &str) -> Result<(), ExprError> {
        if self.take_mark(mark) { Ok(()) } else { Err(self.unexpected(&format!("`{mark}`"))) }
    }

    /// A node over others, unless that makes the expression too deep.
    fn node(&self, expr: Expr, below: &[usize]) -> Result<Node, ExprError> {
        let depth = below.iter().max().copied().unwrap_or(0) + 1;
        if depth > DEPTH { Err(self.too_deep()) } else { Ok((expr, depth)) }
    }

    fn too_deep(&self) -> ExprError {
        self.unexpected(&format!("no more than {DEPTH} levels of nesting"))
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn expr(&mut self, least: u8) -> Result<Node, ExprError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.too_deep());
        }
        let mut left = self.prefix()?;
        while let Some(next) = self.infix(&mut left, least)? {
            left = next;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// Continues after a left side, if an operator that binds tightly enough follows.
    fn infix(&mut self, left: &mut Node, least: u8) -> Result<Option<Node>, ExprError> {
        let Some((power, operator)) = self.operator() else { return Ok(None) };
        if power < least {
            return Ok(None);
        }
        let left = std::mem::replace(left, (Expr::Const(Val::Null), 0));
        self.continue_with(left, power, operator).map(Some)
    }

    /// The operator at this place and how tightly it binds.
    fn operator(&self) -> Option<(u8, Operator)> {
        Some(match self.peek() {
            Token::Mark(mark) => match *mark {
                "||" => (OR, Operator::Or),
                "&&" => (AND, Operator::And),
                "=" => (COMPARE, Operator::Compare(Compare::Eq)),
                "<=>" => (COMPARE, Operator::Compare(Compare::NullSafeEq)),
                "<>" | "!=" => (COMPARE, Operator::Compare(Compare::Ne)),
                "<" => (COMPARE, Operator::Compare(Compare::Lt)),
                "<=" => (COMPARE, Operator::Compare(Compare::Le)),
                ">" => (COMPARE, Operator::Compare(Compare::Gt)),
                ">=" => (COMPARE, Operator::Compare(Compare::Ge)),
                "|" => (BIT_OR, Operator::Bits(Bits::Or)),
                "&" => (BIT_AND, Operator::Bits(Bits::And)),
                "<<" => (SHIFT, Operator::Bits(Bits::Left)),
                ">>" => (SHIFT, Operator::Bits(Bits::Right)),
                "^" => (BIT_XOR, Operator::Bits(Bits::Xor)),
                "+" => (SUM, Operator::Arith(Arith::Add)),
                "-" => (SUM, Operator::Arith(Arith::Sub)),
                "*" => (PRODUCT, Operator::Arith(Arith::Mul)),
                "/" => (PRODUCT, Operator::Arith(Arith::Div)),
                "%" => (PRODUCT, Operator::Arith(Arith::Mod)),
                "->" => (TIGHTEST, Operator::Path { unquote: false }),
                "->>" => (TIGHTEST, Operator::Path { unquote: true }),
                _ => return None,
            },
            Token::Word(word) => match word.to_ascii_uppercase().as_str() {
                "OR" => (OR, Operator::Or),
                "XOR" => (XOR, Operator::Xor),
                "AND" => (AND, Operator::And),
                "IS" => (COMPARE, Operator::Is),
                "DIV" => (PRODUCT, Operator::Arith(Arith::IntDiv)),
                "MOD" => (PRODUCT, Operator::Arith(Arith::Mod)),
                "IN" | "BETWEEN" | "LIKE" | "REGEXP" | "RLIKE" | "NOT" => {
                    (PREDICATE, Operator::Predicate)
                }
                "COLLATE" => (TIGHTEST, Operator::Collate),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn continue_with(
        &mut self,
        (left, depth): Node,
        power: u8,
        operator: Operator,
    ) -> Result<Node, ExprError> {
        self.at += 1;
        match operator {
            Operator::Or => self.flat((left, depth), power, Expr::Or, |e| match e {
                Expr::Or(list) => Ok(list),
                other => Err(other),
            }),
            Operator::And => self.flat((left, depth), power, Expr::And, |e| match e {
                Expr::And(list) => Ok(list),
                other => Err(other),
            }),
            Operator::Xor => self.binary((left, depth), power, Expr::Xor),
            Operator::Compare(c) => {
                self.binary((left, depth), power, |a, b| Expr::Compare(c, a, b))
            }
            Operator::Bits(o) => self.binary((left, depth), power, |a, b| Expr::Bits(o, a, b)),
            Operator::Arith(Arith::Add | Arith::Sub) if self.is_word("INTERVAL") => {
                let negative = matches!(operator, Operator::Arith(Arith::Sub));
                self.interval((left, depth), negative)
            }
            Operator::Arith(o) => self.binary((left, depth), power, |a, b| Expr::Arith(o, a, b)),
            Operator::Is => self.is((left, depth)),
            Operator::Predicate => {
                self.at -= 1;
                self.predicate((left, depth))
            }
            Operator::Collate => {
                let name = match self.next() {
                    Token::Word(name) | Token::Name(name) | Token::Text(name) => name,
                    _ => {
                        self.at -= 1;
                        return Err(self.unexpected("the name of a collation"));
                    }
                };
                let collation = Collation::named(&name);
                self.node(Expr::Collate { value: Box::new(left), collation }, &[depth])
            }
            Operator::Path { unquote } => {
                let Token::Text(path) = self.next() else {
                    self.at -= 1;
                    return Err(self.unexpected("a JSON path in quotes"));
                };
                let args = vec![left, Expr::Const(Val::text(path))];
                let inner = self.call("JSON_EXTRACT", args)?;
                let expr = if unquote { self.call("JSON_UNQUOTE", vec![inner])? } else { inner };
                self.node(expr, &[depth + 1])
            }
        }
    }

    fn binary(
        &mut self,
        (left, depth): Node,
        power: u8,
        make: impl Fn(Box<Expr>, Box<Expr>) -> Expr,
    ) -> Result<Node, ExprError> {
        let (right, other) = self.expr(power + 1)?;
        self.node(make(Box::new(left), Box::new(right)), &[depth, other])
    }

    /// AND and OR: a chain of them becomes one node.
    fn flat(
        &mut self,
        (left, depth): Node,
        power: u8,
        make: impl Fn(Vec<Expr>) -> Expr,
        open: impl Fn(Expr) -> Result<Vec<Expr>, Expr>,
    ) -> Result<Node, ExprError> {
        let (right, other) = self.expr(power + 1)?;
        let (mut list, below) = match open(left) {
            Ok(list) => (list, depth - 1),
            Err(single) => (vec![single], depth),
        };
        list.push(right);
        self.node(make(list), &[below, other])
    }

    /// After `IS`.
    fn is(&mut self, (value, depth): Node) -> Result<Node, ExprError> {
        let negated = self.take_word("NOT");
        let what = if self.take_word("NULL") || self.take_word("UNKNOWN") {
            Is::Null
        } else if self.take_word("TRUE") {
            Is::True
        } else if self.take_word("FALSE") {
            Is::False
        } else {
            return Err(self.unexpected("NULL, TRUE, FALSE or UNKNOWN"));
        };
        self.negate_if(negated, Expr::Is { value: Box::new(value), what }, &[depth])
    }

    fn negate_if(&self, negated: bool, expr: Expr, below: &[usize]) -> Result<Node, ExprError> {
        let (expr, depth) = self.node(expr, below)?;
        if negated { self.node(Expr::Not(Box::new(expr)), &[depth]) } else { Ok((expr, depth)) }
    }

    /// `[NOT] IN | BETWEEN | LIKE | REGEXP`.
    fn predicate(&mut self, (value, depth): Node) -> Result<Node, ExprError> {
        let negated = self.take_word("NOT");
        let value = Box::new(value);
        if self.take_word("IN") {
            self.expect_mark("(")?;
            let (list, below) = self.list()?;
            if list.is_empty() {
                self.at -= 1;
                return Err(self.unexpected("at least one value"));
            }
            return self.negate_if(negated, Expr::In { value, list }, &[depth, below]);
        }
        if self.take_word("BETWEEN") {
            let (low, a) = self.expr(BIT_OR)?;
            self.expect_word("AND")?;
            let (high, b) = self.expr(PREDICATE)?;
            let expr = Expr::Between { value, low: Box::new(low), high: Box::new(high) };
            return self.negate_if(negated, expr, &[depth, a, b]);
        }
        if self.take_word("LIKE") {
            let (pattern, below) = self.expr(BIT_OR)?;
            let escape = if self.take_word("ESCAPE") { self.escape()? } else { Some('\\') };
            let expr = Expr::Like { value, pattern: Box::new(pattern), escape };
            return self.negate_if(negated, expr, &[depth, below]);
        }
        if self.take_word("REGEXP") || self.take_word("RLIKE") {
            let (pattern, below) = self.expr(BIT_OR)?;
            let pattern = Pattern::Dynamic(Box::new(pattern));
            return self.negate_if(negated, Expr::Regexp { value, pattern }, &[depth, below]);
        }
        Err(self.unexpected("IN, BETWEEN, LIKE or REGEXP"))
    }

    /// After `ESCAPE`: one character, or nothing for no escape at all.
    fn escape(&mut self) -> Result<Option<char>, ExprError> {
        if let Token::Text(text) = self.peek() {
            let mut chars = text.chars();
            if let (escape, None) = (chars.next(), chars.next()) {
                self.at += 1;
                return Ok(escape);
            }
        }
        Err(self.unexpected("a string of one character"))
    }

    /// Expressions up to the closing parenthesis, which is taken.
    fn list(&mut self) -> Result<(Vec<Expr>, usize), ExprError> {
        let mut list = Vec::new();
        let mut below = 0;
        if self.take_mark(")") {
            return Ok((list, below));
        }
        loop {
            let (expr, depth) = self.expr(0)?;
            list.push(expr);
            below = below.max(depth);
            if self.take_mark(")") {
                return Ok((list, below));
            }
            if !self.take_mark(",") {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
    }

    fn prefix(&mut self) -> Result<Node, ExprError> {
        match self.peek().clone() {
            Token::Number(text) => {
                self.at += 1;
                number(&text).map(|v| (Expr::Const(v), 1)).ok_or_else(|| {
                    self.at -= 1;
                    self.unexpected("a number of at most 65 digits")
                })
            }
            Token::Text(text) => {
                self.at += 1;
                Ok((Expr::Const(Val::text(text)), 1))
            }
            Token::Hex(bytes) => {
                self.at += 1;
                Ok((Expr::Const(Val::Hex(bytes.into())), 1))
            }
            Token::Name(_) => self.column(),
            Token::Word(word) => self.word(&word),
            Token::Mark(mark) => self.prefix_mark(mark),
            Token::Variable(name) => Err(ExprError::NotRepeatable(name)),
            Token::End => Err(self.unexpected("a column, a literal or a function")),
        }
    }

    fn prefix_mark(&mut self, mark: &str) -> Result<Node, ExprError> {
        self.at += 1;
        match mark {
            "(" => {
                let inner = self.expr(0)?;
                self.expect_mark(")")?;
                // Parentheses end a chain: (a OR b) OR c stays as written, which costs nothing.
                Ok(inner)
            }
            "-" => {
                let (inner, depth) = self.expr(UNARY)?;
                self.node(Expr::Negate(Box::new(inner)), &[depth])
            }
            "+" => self.expr(UNARY),
            "~" => {
                let (inner, depth) = self.expr(UNARY)?;
                self.node(Expr::BitNot(Box::new(inner)), &[depth])
            }
            "!" => {
                let (inner, depth) = self.expr(BANG)?;
                self.node(Expr::Not(Box::new(inner)), &[depth])
            }
            _ => {
                self.at -= 1;
                Err(self.unexpected("a column, a literal or a function"))
            }
        }
    }

    fn word(&mut self, word: &str) -> Result<Node, ExprError> {
        let upper = word.to_ascii_uppercase();
        let constant = |v| Ok((Expr::Const(v), 1));
        match upper.as_str() {
            "NULL" | "TRUE" | "FALSE" if *self.second() != Token::Mark("(") => {
                self.at += 1;
                return constant(match upper.as_str() {
                    "NULL" => Val::Null,
                    truth => Val::from(truth == "TRUE"),
                });
            }
            "NOT" => {
                self.at += 1;
                let (inner, depth) = self.expr(NOT)?;
                return self.node(Expr::Not(Box::new(inner)), &[depth]);
            }
            "BINARY" => {
                self.at += 1;
                let (inner, depth) = self.expr(BANG)?;
                let expr = Expr::Cast { value: Box::new(inner), to: CastType::Binary(None) };
                return self.node(expr, &[depth]);
            }
            "CASE" => {
                self.at += 1;
                return self.case();
            }
            "INTERVAL" => return self.leading_interval(),
            "DATE" | "TIME" | "TIMESTAMP" => {
                if let Token::Text(text) = self.second().clone() {
                    return self.temporal_literal(&upper, &text);
                }
            }
            _ => {}
        }
        if let (Some(charset), Token::Text(text)) = (word.strip_prefix('_'), self.second().clone())
        {
            self.at += 2;
            return constant(if charset.eq_ignore_ascii_case("binary") {
                Val::Bytes(text.into_bytes().into())
            } else {
                Val::text(text)
            });
        }
        if *self.second() == Token::Mark("(") {
            self.at += 2;
            return self.function(&upper);
        }
        if functions::is_bare_clock(&upper) {
            return Err(ExprError::NotRepeatable(upper));
        }
        if RESERVED.contains(&upper.as_str()) {
            return Err(self.unexpected("a column, a literal or a function"));
        }
        self.column()
    }

    /// `c`, `t.c` or `s.t.c`.
    fn column(&mut self) -> Result<Node, ExprError> {
        let mut parts = Vec::new();
        loop {
            match self.next() {
                Token::Name(part) | Token::Word(part) => parts.push(part),
                _ => {
                    self.at -= 1;
                    return Err(self.unexpected("the name of a column"));
                }
            }
            if parts.len() == 3 || !self.take_mark(".") {
                break;
            }
        }
        let column = parts.pop().unwrap_or_default();
        let name = ColumnName { column, table: parts.pop(), schema: parts.pop() };
        let slot = self.columns.iter().position(|c| *c == name).unwrap_or_else(|| {
            self.columns.push(name);
            self.columns.len() - 1
        });
        Ok((Expr::Column(slot), 1))
    }

    fn temporal_literal(&mut self, kind: &str, text: &str) -> Result<Node, ExprError> {
        self.at += 1;
        let value = match kind {
            "TIME" => read_time(text, self.zone).map(Val::Time),
            "DATE" => read_datetime(text, self.zone).map(|r| Val::Date(r.value.date)),
            _ => read_datetime(text, self.zone).map(|r| Val::DateTime(r.value)),
        };
        let Some(value) = value else { return Err(self.unexpected("a date or time")) };
        self.at += 1;
        Ok((Expr::Const(value), 1))
    }
}

#[derive(Clone, Copy)]
enum Operator {
    Or,
    Xor,
    And,
    Is,
    Predicate,
    Collate,
    Compare(Compare),
    Bits(Bits),
    Arith(Arith),
    Path { unquote: bool },
}

/// The value of a number literal: an integer, a decimal, or with an exponent a double.
fn number(text: &str) -> Option<Val<'static>> {
    if text.contains(['e', 'E']) {
        return text.parse().ok().filter(|v: &f64| v.is_finite()).map(Val::Real);
    }
    let integer = text.parse().map(Val::Int).or_else(|_| text.parse().map(Val::UInt));
    integer.ok().or_else(|| Decimal::parse(text).map(Val::Dec))
}
