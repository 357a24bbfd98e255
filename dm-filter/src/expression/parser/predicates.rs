//! The operators that are words: `IS`, and `IN`, `BETWEEN`, `LIKE`, `REGEXP` with or without a
//! `NOT` before them.

use super::super::ast::{Expr, Is, Pattern};
use super::super::error::ExprError;
use super::super::lexer::Token;
use super::{BIT_OR, Node, PREDICATE, Parser};

impl Parser<'_> {
    /// After `IS`.
    pub(super) fn is(&mut self, (value, depth): Node) -> Result<Node, ExprError> {
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
    pub(super) fn predicate(&mut self, (value, depth): Node) -> Result<Node, ExprError> {
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
}
