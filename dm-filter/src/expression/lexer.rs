//! Splits the text of an expression into tokens, as MySQL does in its default `sql_mode`.

use super::error::ExprError;

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Digits, with or without point and exponent, as written.
    Number(String),
    /// A string literal, its escapes resolved.
    Text(String),
    /// `0x41`, `X'41'`, `0b1`, `b'1'`: the bytes it stands for.
    Hex(Vec<u8>),
    /// A word without quotes: keyword, column or function.
    Word(String),
    /// A name in back-quotes: never a keyword.
    Name(String),
    /// `@x`, `@@x`: a variable.
    Variable(String),
    /// An operator or a mark.
    Mark(&'static str),
    /// The end of the text.
    End,
}

impl Token {
    /// How an error message shows it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Number(s) | Self::Word(s) => format!("`{s}`"),
            Self::Name(s) => format!("the name `{s}`"),
            Self::Text(s) => format!("the string '{s}'"),
            Self::Hex(_) => "a hexadecimal or bit literal".to_string(),
            Self::Variable(s) => format!("the variable `{s}`"),
            Self::Mark(m) => format!("`{m}`"),
            Self::End => "the end".to_string(),
        }
    }
}

/// Longer marks stand before their beginnings.
const MARKS: &[&str] = &[
    "->>", "<=>", "->", "<=", ">=", "<>", "!=", "<<", ">>", "&&", "||", "=", "<", ">", "+", "-",
    "*", "/", "%", "(", ")", ",", ".", "!", "~", "&", "|", "^",
];

/// A token and the place, counted in characters from 1, where it begins.
pub(super) type Placed = (Token, usize);

/// Splits a whole expression; the last token is [`Token::End`].
pub(super) fn tokenize(text: &str) -> Result<Vec<Placed>, ExprError> {
    let mut lexer = Lexer { rest: text, total: text };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let at = lexer.place();
        let token = lexer.next()?;
        let end = token == Token::End;
        tokens.push((token, at));
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    total: &'a str,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

impl<'a> Lexer<'a> {
    fn place(&self) -> usize {
        let used = self.total.len() - self.rest.len();
        self.total.get(..used).unwrap_or_default().chars().count() + 1
    }

    fn error(&self, found: impl Into<String>, expected: &str) -> ExprError {
        ExprError::Syntax { at: self.place(), found: found.into(), expected: expected.to_string() }
    }

    fn first(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes the longest run of characters that a condition holds for.
    fn take(&mut self, accepts: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accepts(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) -> Result<(), ExprError> {
        loop {
            self.take(char::is_whitespace);
            if let Some(after) = self.rest.strip_prefix("/*") {
                match after.split_once("*/") {
                    Some((_, rest)) => self.rest = rest,
                    None => return Err(self.error("an open comment", "`*/`")),
                }
            } else if self.rest.starts_with('#') || self.rest.starts_with("-- ") {
                self.take(|c| c != '\n');
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<Token, ExprError> {
        let Some(first) = self.first() else { return Ok(Token::End) };
        let second = self.rest.chars().nth(1);
        match (first, second) {
            ('\'' | '"', _) => self.text().map(Token::Text),
            ('`', _) => self.quoted('`', false).map(Token::Name),
            ('@', _) => Ok(Token::Variable(self.take(|c| is_word(c) || c == '@').to_string())),
            ('x' | 'X', Some('\'')) => self.radix_quoted(16),
            ('b' | 'B', Some('\'')) => self.radix_quoted(2),
            ('n' | 'N', Some('\'')) => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                self.text().map(Token::Text)
            }
            ('0', Some('x')) => self.radix_plain(16),
            ('0', Some('b')) => self.radix_plain(2),
            (c, _) if c.is_ascii_digit() => Ok(self.number_or_word()),
            ('.', Some(c)) if c.is_ascii_digit() => Ok(self.number_or_word()),
            (c, _) if is_word(c) => Ok(Token::Word(self.take(is_word).to_string())),
            _ => self.mark(),
        }
    }

    fn mark(&mut self) -> Result<Token, ExprError> {
        for mark in MARKS {
            if let Some(rest) = self.rest.strip_prefix(mark) {
                self.rest = rest;
                return Ok(Token::Mark(mark));
            }
        }
        let found = self.first().map_or_else(String::new, |c| format!("`{c}`"));
        Err(self.error(found, "an operator, a column, a literal or a function"))
    }

    /// A string, and those that follow it with nothing but blanks between: `'a' 'b'` is `'ab'`.
    fn text(&mut self) -> Result<String, ExprError> {
        let quote = self.first().unwrap_or('\'');
        let mut text = self.quoted(quote, true)?;
        loop {
            let before = self.rest;
            self.take(char::is_whitespace);
            match self.first() {
                Some(next @ ('\'' | '"')) => text.push_str(&self.quoted(next, true)?),
                _ => {
                    self.rest = before;
                    return Ok(text);
                }
            }
        }
    }

    fn quoted(&mut self, quote: char, escapes: bool) -> Result<String, ExprError> {
        let mut chars = self.rest.chars();
        chars.next();
        let mut text = String::new();
        while let Some(c) = chars.next() {
            if c == quote {
                if chars.as_str().starts_with(quote) {
                    chars.next();
                    text.push(quote);
                    continue;
                }
                self.rest = chars.as_str();
                return Ok(text);
            }
            if c != '\\' || !escapes {
                text.push(c);
                continue;
            }
            match chars.next() {
                Some('0') => text.push('\0'),
                Some('b') => text.push('\u{8}'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('Z') => text.push('\u{1a}'),
                // These stay escaped: they mean something to LIKE.
                Some(special @ ('%' | '_')) => text.extend(['\\', special]),
                Some(other) => text.push(other),
                None => break,
            }
        }
        Err(self.error("the end", &format!("a closing {quote}")))
    }

    fn number_or_word(&mut self) -> Token {
        let digits = |c: char| c.is_ascii_digit();
        let start = self.rest;
        self.take(digits);
        let mut is_number = !self.first().is_some_and(|c| is_word(c) && c != 'e' && c != 'E');
        if is_number && self.rest.starts_with('.') {
            self.rest = self.rest.get(1..).unwrap_or_default();
            self.take(digits);
        }
        let exponent = self.rest.strip_prefix(['e', 'E']);
        if let Some(after) = exponent.filter(|_| is_number) {
            let unsigned = after.strip_prefix(['+', '-']).unwrap_or(after);
            if unsigned.starts_with(digits) {
                self.rest = unsigned;
                self.take(digits);
            } else {
                is_number = false;
            }
        }
        if !is_number {
            // MySQL allows names that begin with a digit.
            self.take(is_word);
        }
        let used = start.get(..start.len() - self.rest.len()).unwrap_or_default().to_string();
        if is_number { Token::Number(used) } else { Token::Word(used) }
    }

    fn radix_plain(&mut self, radix: u32) -> Result<Token, ExprError> {
        let before = self.rest;
        let word = self.take(is_word);
        match bytes_of(word.get(2..).unwrap_or_default(), radix, true) {
            Some(bytes) => Ok(Token::Hex(bytes)),
            None => {
                self.rest = before;
                Ok(Token::Word(self.take(is_word).to_string()))
            }
        }
    }

    fn radix_quoted(&mut self, radix: u32) -> Result<Token, ExprError> {
        let error =
            self.error("a malformed literal", "an even number of hexadecimal digits, or bits");
        self.rest = self.rest.get(1..).unwrap_or_default();
        let digits = self.quoted('\'', false)?;
        bytes_of(&digits, radix, radix == 2).map(Token::Hex).ok_or(error)
    }
}

/// The bytes that hexadecimal or binary digits stand for, filled up on the left.
fn bytes_of(digits: &str, radix: u32, any_length: bool) -> Option<Vec<u8>> {
    let per_byte = if radix == 16 { 2 } else { 8 };
    let missing = (per_byte - digits.len() % per_byte) % per_byte;
    if (missing > 0 && !any_length) || (digits.is_empty() && any_length && radix == 16) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / per_byte + 1);
    let mut value = 0u32;
    for (i, c) in digits.chars().enumerate() {
        value = value * radix + c.to_digit(radix)?;
        if (i + 1 + missing).is_multiple_of(per_byte) {
            bytes.push(u8::try_from(value).ok()?);
            value = 0;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        tokenize(text).unwrap().into_iter().map(|(t, _)| t).collect()
    }

    #[test]
    fn literals_are_read_as_mysql_reads_them() {
        let text = |s: &str| Token::Text(s.to_string());
        let number = |s: &str| Token::Number(s.to_string());
        assert_eq!(
            tokens(
                r#"'a''b' "c""d" 'x\n\%\q' N'z' 1 1.5 .5 2e3 1e-2 0x4142 x'41' b'1' 0b100000001"#
            ),
            [
                text("a'bc\"dx\n\\%q"),
                text("z"),
                number("1"),
                number("1.5"),
                number(".5"),
                number("2e3"),
                number("1e-2"),
                Token::Hex(b"AB".to_vec()),
                Token::Hex(b"A".to_vec()),
                Token::Hex(vec![1]),
                Token::Hex(vec![1, 1]),
                Token::End,
            ]
        );
    }

    #[test]
    fn names_and_marks() {
        let word = |s: &str| Token::Word(s.to_string());
        assert_eq!(
            tokens("a.`b``c` <=> 1st -- note\n /* x */ ->>"),
            [
                word("a"),
                Token::Mark("."),
                Token::Name("b`c".into()),
                Token::Mark("<=>"),
                word("1st"),
                Token::Mark("->>"),
                Token::End
            ]
        );
    }

    #[test]
    fn what_is_open_or_odd_is_an_error_with_its_place() {
        assert!(matches!(tokenize("é = 'x"), Err(ExprError::Syntax { at: 5, .. })));
        assert!(matches!(tokenize("a ; b"), Err(ExprError::Syntax { at: 3, .. })));
        assert!(tokenize("x'4'").is_err());
        assert!(tokenize("/* a").is_err());
    }
}
