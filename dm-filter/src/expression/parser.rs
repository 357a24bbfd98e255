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
mod operands;
mod operators;
mod predicates;

use super::ast::Expr;
use super::error::ExprError;
use super::lexer::{Placed, Token, tokenize};
use super::temporal::Zone;

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
}
