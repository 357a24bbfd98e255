//! What may follow a left side: the operators, how tightly each binds, and what each makes of its
//! two sides.

use super::super::ast::{Arith, Bits, Compare, Expr};
use super::super::collation::Collation;
use super::super::error::ExprError;
use super::super::lexer::Token;
use super::super::value::Val;
use super::{
    AND, BIT_AND, BIT_OR, BIT_XOR, COMPARE, Node, OR, PREDICATE, PRODUCT, Parser, SHIFT, SUM,
    TIGHTEST, XOR,
};

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

impl Parser<'_> {
    /// Continues after a left side, if an operator that binds tightly enough follows.
    pub(super) fn infix(&mut self, left: &mut Node, least: u8) -> Result<Option<Node>, ExprError> {
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
}
