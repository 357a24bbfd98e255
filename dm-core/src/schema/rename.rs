//! Column names inside expressions (generated columns, checks, functional keys).

use super::table::{Column, same_name};
use crate::ddl::{Comments, SqlMode, TokenKind, lex, unquote_ident};
use crate::sql::quote_ident;

/// The identifiers of an expression: where they stand, and their names. A word before a
/// parenthesis is a function unless it is quoted.
fn identifiers(expr: &str) -> Vec<(std::ops::Range<usize>, String)> {
    let lexed = lex(expr, SqlMode::default(), Comments::All);
    let mut found = Vec::new();
    for (n, token) in lexed.tokens.iter().enumerate() {
        let text = expr.get(token.span()).unwrap_or_default();
        let called = lexed.tokens.get(n + 1).is_some_and(|t| t.kind == TokenKind::Punct(b'('));
        match token.kind {
            TokenKind::QuotedIdent => found.push((token.span(), unquote_ident(text))),
            TokenKind::Word if !called => found.push((token.span(), text.to_owned())),
            _ => {}
        }
    }
    found
}

/// The expression with columns under their new names.
pub(super) fn rename_in_expression(expr: &str, renamed: &[(String, String)]) -> String {
    if renamed.is_empty() {
        return expr.to_owned();
    }
    let mut out = expr.to_owned();
    for (span, name) in identifiers(expr).into_iter().rev() {
        if let Some((_, new)) = renamed.iter().find(|(old, _)| same_name(old, &name)) {
            out.replace_range(span, &quote_ident(new));
        }
    }
    out
}

/// Those of the columns that an expression names, by their own spelling.
pub(super) fn columns_in_expression(expr: &str, columns: &[Column]) -> Vec<String> {
    let names = identifiers(expr);
    let used = |c: &&Column| names.iter().any(|(_, name)| same_name(name, &c.name));
    columns.iter().filter(used).map(|c| c.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_columns_are_renamed() {
        let renamed = [("a".to_owned(), "b".to_owned()), ("b".to_owned(), "a".to_owned())];
        let text = rename_in_expression("a(`a`) + 'a' /* a */ + B", &renamed);
        assert_eq!(text, "a(`b`) + 'a' /* a */ + `a`");
    }
}
