//! What has a grammar of its own: CASE, INTERVAL, and the calls of functions.

use super::{BIT_OR, Node, Parser, SUM};
use crate::expression::ast::{Arith, CastType, Compare, Expr, Is, Unit};
use crate::expression::error::ExprError;
use crate::expression::functions;
use crate::expression::lexer::Token;
use crate::expression::value::Val;

impl Parser<'_> {
    /// After `CASE`.
    pub(super) fn case(&mut self) -> Result<Node, ExprError> {
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
    pub(super) fn interval(
        &mut self,
        (date, depth): Node,
        negative: bool,
    ) -> Result<Node, ExprError> {
        self.expect_word("INTERVAL")?;
        let (amount, below) = self.expr(0)?;
        let unit = self.unit()?;
        let (date, amount) = (Box::new(date), Box::new(amount));
        self.node(Expr::DateAdd { date, amount, unit, negative }, &[depth, below])
    }

    /// `INTERVAL 1 DAY + date`
    pub(super) fn leading_interval(&mut self) -> Result<Node, ExprError> {
        self.at += 1;
        let (amount, below) = self.expr(0)?;
        let unit = self.unit()?;
        self.expect_mark("+")?;
        let (date, depth) = self.expr(SUM + 1)?;
        let (date, amount) = (Box::new(date), Box::new(amount));
        self.node(Expr::DateAdd { date, amount, unit, negative: false }, &[depth, below])
    }

    pub(super) fn unit(&mut self) -> Result<Unit, ExprError> {
        let unit = match self.peek() {
            Token::Word(word) => Unit::named(word),
            _ => None,
        };
        let unit = unit.ok_or_else(|| self.unexpected("a unit such as DAY or MONTH"))?;
        self.at += 1;
        Ok(unit)
    }

    pub(super) fn call(&self, name: &str, args: Vec<Expr>) -> Result<Expr, ExprError> {
        let function = functions::find(name)?;
        function.check(args.len())?;
        Ok(Expr::Call { function, args })
    }

    /// After the opening parenthesis of a function.
    pub(super) fn function(&mut self, name: &str) -> Result<Node, ExprError> {
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
