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

use super::ast::{Arith, Bits, CastType, Compare, Expr, Is, Pattern, Unit};
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

    /// After `CASE`.
    fn case(&mut self) -> Result<Node, ExprError> {
        let subject = if self.is_word("WHEN") { None } else { Some(self.expr(0)?) };
        let mut arms = Vec::new();
        let mut below = subject.as_ref().map_or(0, |(_, d)| d + 1);
        while self.take_word("WHEN") {
            let (mut condition, a) = self.expr(0)?;
            self.expect_word("THEN")?;
            let (result, b) = self.expr(0)?;
            if let Some((subject, _)) = &subject {
                let subject = Box::new(subject.clone());
                condition = Expr::Compare(Compare::Eq, subject, Box::new(condition));
            }
            arms.push((condition, result));
            below = below.max(a + 1).max(b);
        }
        if arms.is_empty() {
            return Err(self.unexpected("`WHEN`"));
        }
        let (otherwise, c) =
            if self.take_word("ELSE") { self.expr(0)? } else { (Expr::Const(Val::Null), 1) };
        self.expect_word("END")?;
        self.node(Expr::Case { arms, otherwise: Box::new(otherwise) }, &[below, c])
    }

    /// `INTERVAL amount unit`, after the operator.
    fn interval(&mut self, (date, depth): Node, negative: bool) -> Result<Node, ExprError> {
        self.expect_word("INTERVAL")?;
        let (amount, below) = self.expr(0)?;
        let unit = self.unit()?;
        let (date, amount) = (Box::new(date), Box::new(amount));
        self.node(Expr::DateAdd { date, amount, unit, negative }, &[depth, below])
    }

    /// `INTERVAL 1 DAY + date`
    fn leading_interval(&mut self) -> Result<Node, ExprError> {
        self.at += 1;
        let (amount, below) = self.expr(0)?;
        let unit = self.unit()?;
        self.expect_mark("+")?;
        let (date, depth) = self.expr(SUM + 1)?;
        let (date, amount) = (Box::new(date), Box::new(amount));
        self.node(Expr::DateAdd { date, amount, unit, negative: false }, &[depth, below])
    }

    fn unit(&mut self) -> Result<Unit, ExprError> {
        let unit = match self.peek() {
            Token::Word(word) => Unit::named(word),
            _ => None,
        };
        let unit = unit.ok_or_else(|| self.unexpected("a unit such as DAY or MONTH"))?;
        self.at += 1;
        Ok(unit)
    }

    fn call(&self, name: &str, args: Vec<Expr>) -> Result<Expr, ExprError> {
        let function = functions::find(name)?;
        function.check(args.len())?;
        Ok(Expr::Call { function, args })
    }

    /// After the opening parenthesis of a function.
    fn function(&mut self, name: &str) -> Result<Node, ExprError> {
        match name {
            "CAST" => {
                let (value, depth) = self.expr(0)?;
                self.expect_word("AS")?;
                let to = self.cast_type()?;
                self.expect_mark(")")?;
                return self.node(Expr::Cast { value: Box::new(value), to }, &[depth]);
            }
            "CONVERT" => return self.convert(),
            "EXTRACT" => {
                let unit = self.unit()?;
                self.expect_word("FROM")?;
                let (value, depth) = self.expr(0)?;
                self.expect_mark(")")?;
                return self.node(Expr::Extract { unit, value: Box::new(value) }, &[depth]);
            }
            "TIMESTAMPDIFF" | "TIMESTAMPADD" => return self.timestamp_function(name),
            "DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE" => return self.date_add(name),
            "TRIM" => return self.trim(),
            "POSITION" => {
                let (needle, a) = self.expr(BIT_OR)?;
                self.expect_word("IN")?;
                let (text, b) = self.expr(0)?;
                self.expect_mark(")")?;
                let expr = self.call("LOCATE", vec![needle, text])?;
                return self.node(expr, &[a, b]);
            }
            "SUBSTR" | "SUBSTRING" | "MID" => return self.substring(),
            _ => {}
        }
        let (args, depth) = self.list()?;
        let expr = self.plain_function(name, args)?;
        self.node(expr, &[depth + 1])
    }

    /// A function whose arguments are plain expressions.
    fn plain_function(&self, name: &str, mut args: Vec<Expr>) -> Result<Expr, ExprError> {
        let count = args.len();
        let wrong = |expected: &str| ExprError::Arguments {
            function: name.to_string(),
            found: count,
            expected: expected.to_string(),
        };
        match name {
            "IF" => {
                let (Some(no), Some(yes), Some(condition), None) =
                    (args.pop(), args.pop(), args.pop(), args.pop())
                else {
                    return Err(wrong("3"));
                };
                Ok(Expr::Case { arms: vec![(condition, yes)], otherwise: Box::new(no) })
            }
            "UNIX_TIMESTAMP" if count == 0 => Err(ExprError::NotRepeatable(name.to_string())),
            "IFNULL" | "NVL" if count != 2 => Err(wrong("2")),
            "COALESCE" if count == 0 => Err(wrong("at least 1")),
            "IFNULL" | "NVL" | "COALESCE" => Ok(Expr::Coalesce(args)),
            "ISNULL" => match (args.pop(), args.pop()) {
                (Some(value), None) => Ok(Expr::Is { value: Box::new(value), what: Is::Null }),
                _ => Err(wrong("1")),
            },
            "MOD" => match (args.pop(), args.pop(), args.pop()) {
                (Some(b), Some(a), None) => Ok(Expr::Arith(Arith::Mod, Box::new(a), Box::new(b))),
                _ => Err(wrong("2")),
            },
            _ => self.call(name, args),
        }
    }

    /// After `CONVERT(`: `x, type` or `x USING charset`.
    fn convert(&mut self) -> Result<Node, ExprError> {
        let (value, depth) = self.expr(0)?;
        let to = if self.take_word("USING") {
            match self.next() {
                Token::Word(w) if w.eq_ignore_ascii_case("binary") => CastType::Binary(None),
                Token::Word(_) | Token::Text(_) => CastType::Char(None),
                _ => {
                    self.at -= 1;
                    return Err(self.unexpected("the name of a character set"));
                }
            }
        } else {
            self.expect_mark(",")?;
            self.cast_type()?
        };
        self.expect_mark(")")?;
        self.node(Expr::Cast { value: Box::new(value), to }, &[depth])
    }

    /// Numbers in parentheses after a type, none if there are none.
    fn type_numbers(&mut self) -> Result<Vec<usize>, ExprError> {
        let mut numbers = Vec::new();
        if !self.take_mark("(") {
            return Ok(numbers);
        }
        loop {
            match self.peek() {
                Token::Number(n) => numbers.extend(n.parse::<usize>()),
                _ => return Err(self.unexpected("a number")),
            }
            self.at += 1;
            if self.take_mark(")") {
                return Ok(numbers);
            }
            self.expect_mark(",")?;
        }
    }

    fn cast_type(&mut self) -> Result<CastType, ExprError> {
        let expected = "a type such as SIGNED, CHAR, DATETIME or DECIMAL(10,2)";
        let Token::Word(word) = self.peek().clone() else { return Err(self.unexpected(expected)) };
        self.at += 1;
        let word = word.to_ascii_uppercase();
        let numbers = self.type_numbers()?;
        let first = numbers.first().copied();
        let small = |n: Option<usize>, most: u8| {
            n.and_then(|n| u8::try_from(n).ok()).unwrap_or(0).min(most)
        };
        let to = match word.as_str() {
            "SIGNED" | "INT" | "INTEGER" | "BIGINT" => CastType::Signed,
            "UNSIGNED" => CastType::Unsigned,
            "CHAR" | "NCHAR" | "VARCHAR" => CastType::Char(first),
            "BINARY" | "VARBINARY" => CastType::Binary(first),
            "DATE" => CastType::Date,
            "DATETIME" => CastType::DateTime(small(first, 6)),
            "TIME" => CastType::Time(small(first, 6)),
            "DECIMAL" | "DEC" | "NUMERIC" => CastType::Decimal(small(numbers.get(1).copied(), 30)),
            "DOUBLE" | "FLOAT" | "REAL" => CastType::Double,
            "JSON" => CastType::Json,
            "YEAR" => CastType::Year,
            _ => {
                self.at -= 1;
                return Err(self.unexpected(expected));
            }
        };
        if matches!(to, CastType::Signed | CastType::Unsigned) {
            let _ = self.take_word("INTEGER") || self.take_word("INT");
        }
        if matches!(to, CastType::Char(_)) && self.take_word("CHARACTER") {
            self.expect_word("SET")?;
            self.at += 1;
        } else if matches!(to, CastType::Char(_)) && self.take_word("CHARSET") {
            self.at += 1;
        }
        Ok(to)
    }

    fn timestamp_function(&mut self, name: &str) -> Result<Node, ExprError> {
        let unit = self.unit()?;
        self.expect_mark(",")?;
        let (first, a) = self.expr(0)?;
        self.expect_mark(",")?;
        let (second, b) = self.expr(0)?;
        self.expect_mark(")")?;
        let (first, second) = (Box::new(first), Box::new(second));
        let expr = if name == "TIMESTAMPDIFF" {
            Expr::DateDiff { unit, from: first, to: second }
        } else {
            Expr::DateAdd { date: second, amount: first, unit, negative: false }
        };
        self.node(expr, &[a, b])
    }

    /// `DATE_ADD(d, INTERVAL 1 DAY)`; ADDDATE also takes a number of days.
    fn date_add(&mut self, name: &str) -> Result<Node, ExprError> {
        let negative = name.contains("SUB");
        let date = self.expr(0)?;
        self.expect_mark(",")?;
        let node = if self.is_word("INTERVAL") {
            self.interval(date, negative)?
        } else if name.starts_with("DATE_") {
            return Err(self.unexpected("`INTERVAL`"));
        } else {
            let (amount, below) = self.expr(0)?;
            let depth = date.1;
            let (date, amount) = (Box::new(date.0), Box::new(amount));
            self.node(Expr::DateAdd { date, amount, unit: Unit::Day, negative }, &[depth, below])?
        };
        self.expect_mark(")")?;
        Ok(node)
    }

    /// `TRIM([BOTH | LEADING | TRAILING] [x FROM] text)`
    fn trim(&mut self) -> Result<Node, ExprError> {
        let mut side = "BOTH";
        for word in ["BOTH", "LEADING", "TRAILING"] {
            // A column may have such a name, when nothing follows it.
            if self.is_word(word) && *self.second() != Token::Mark(")") {
                self.at += 1;
                side = word;
                break;
            }
        }
        let space = || Expr::Const(Val::text(" "));
        let (text, what, depth) = if self.take_word("FROM") {
            let (text, depth) = self.expr(0)?;
            (text, space(), depth)
        } else {
            let (first, a) = self.expr(0)?;
            if self.take_word("FROM") {
                let (text, b) = self.expr(0)?;
                (text, first, a.max(b))
            } else {
                (first, space(), a)
            }
        };
        self.expect_mark(")")?;
        let args = vec![text, what, Expr::Const(Val::text(side))];
        let expr = self.call("TRIM", args)?;
        self.node(expr, &[depth])
    }

    /// `SUBSTRING(text, from[, length])` or `SUBSTRING(text FROM from [FOR length])`
    fn substring(&mut self) -> Result<Node, ExprError> {
        let (text, a) = self.expr(0)?;
        let words = self.is_word("FROM");
        if words {
            self.at += 1;
        } else {
            self.expect_mark(",")?;
        }
        let (from, b) = self.expr(0)?;
        let mut args = vec![text, from];
        let mut below = a.max(b);
        if (words && self.take_word("FOR")) || (!words && self.take_mark(",")) {
            let (length, c) = self.expr(0)?;
            args.push(length);
            below = below.max(c);
        }
        self.expect_mark(")")?;
        let expr = self.call("SUBSTRING", args)?;
        self.node(expr, &[below])
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
