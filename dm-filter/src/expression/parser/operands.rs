//! What an expression may begin with: literals, columns, parentheses, and the operators that stand
//! before what they work on.

use super::super::ast::{CastType, Expr};
use super::super::decimal::Decimal;
use super::super::error::ExprError;
use super::super::functions;
use super::super::lexer::Token;
use super::super::temporal::{read_datetime, read_time};
use super::super::value::Val;
use super::{BANG, ColumnName, NOT, Node, Parser, UNARY};

/// Words that are no column unless they stand in back-quotes.
const RESERVED: &[&str] = &[
    "AND", "AS", "BETWEEN", "BINARY", "BY", "CASE", "COLLATE", "DISTINCT", "DIV", "ELSE", "EXISTS",
    "FROM", "HAVING", "IN", "INTERVAL", "INTO", "IS", "LIKE", "LIMIT", "MOD", "NOT", "OR", "ORDER",
    "REGEXP", "RLIKE", "SELECT", "THEN", "UNION", "WHEN", "WHERE", "XOR",
];

impl Parser<'_> {
    pub(super) fn prefix(&mut self) -> Result<Node, ExprError> {
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

/// The value of a number literal: an integer, a decimal, or with an exponent a double.
fn number(text: &str) -> Option<Val<'static>> {
    if text.contains(['e', 'E']) {
        return text.parse().ok().filter(|v: &f64| v.is_finite()).map(Val::Real);
    }
    let integer = text.parse().map(Val::Int).or_else(|_| text.parse().map(Val::UInt));
    integer.ok().or_else(|| Decimal::parse(text).map(Val::Dec))
}
