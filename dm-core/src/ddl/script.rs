//! Statements that a person gives to be run at the target in place of another.

use super::lexer::{Comments, TokenKind, lex};
use super::parse::parse;
use super::sql_mode::SqlMode;
use super::statement::{NameRole, ParseContext, Statement};
use crate::error::{Error, Result, codes};

/// Splits a text at its semicolons, those in quotes and comments aside; parts without a statement
/// are left out. Read in the servers' default mode: double quotes enclose strings.
pub fn split(text: &str) -> Vec<&str> {
    let lexed = lex(text, super::SqlMode::default(), Comments::All);
    let mut parts = Vec::new();
    let (mut from, mut tokens) = (0, 0);
    let mut end = |from: usize, to: usize, tokens: usize| {
        let part = text.get(from..to).unwrap_or_default().trim();
        if tokens > 0 && !part.is_empty() {
            parts.push(part);
        }
    };
    for token in &lexed.tokens {
        if token.kind == TokenKind::Punct(b';') && token.region.is_none() {
            end(from, token.start, tokens);
            (from, tokens) = (token.end, 0);
        } else {
            tokens += 1;
        }
    }
    end(from, text.len(), tokens);
    parts
}

/// A statement's text without the semicolon at its end and what stands behind it. A client that may send one
/// statement only can have written a comment there, and the binlog has it; one that may send several would send that
/// as a statement of its own, and have it refused behind one that has run.
pub fn without_tail(text: &str, mode: SqlMode) -> &str {
    let lexed = lex(text, mode, Comments::All);
    let mut tokens = lexed.tokens.iter();
    let end = tokens.find(|t| t.kind == TokenKind::Punct(b';') && t.region.is_none());
    end.and_then(|end| text.get(..end.start)).map_or(text, str::trim_end)
}

/// Reads the statements that are to run in place of, or before, one of the source: each must change
/// structures and say the schema of every table.
///
/// # Errors
///
/// 36066 without any statement, 36067 for one that cannot be read, 36064 for one that is no DDL,
/// 36024 for a name without its schema.
pub fn parse_given(text: &str) -> Result<Vec<Statement>> {
    let parts = split(text);
    if parts.is_empty() {
        return Err(Error::new(&codes::SYNC_OPERATOR_EVENT, "no statement is given"));
    }
    parts.into_iter().map(parse_one).collect()
}

fn parse_one(sql: &str) -> Result<Statement> {
    let statement = parse(sql, &ParseContext::default()).map_err(|e| {
        e.workaround(
            "Write the statement as the source's servers would take it, names as at the source.",
        )
    })?;
    if !statement.is_ddl() {
        return Err(Error::new(
            &codes::SYNC_EVENT,
            format!("{sql:?} is no DDL: only statements that change structures can be given"),
        )
        .workaround("Change rows at the source, or at the target by hand."));
    }
    let bare = |role: NameRole| role.is_table() || role == NameRole::Sequence;
    if let Some(name) = statement.names.iter().find(|n| bare(n.role) && n.name.schema.is_empty()) {
        return Err(Error::new(
            &codes::SYNC_INJECT_SCHEMA,
            format!("table `{}` in {sql:?} has no schema", name.name.table),
        ));
    }
    Ok(statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_split() {
        let text = " ALTER TABLE d.t ADD c VARCHAR(9) DEFAULT 'a;b' /* ; */; ;\n-- nothing ; here\n\
                    DROP TABLE `d`.`x;y` ; ";
        assert_eq!(
            split(text),
            [
                "ALTER TABLE d.t ADD c VARCHAR(9) DEFAULT 'a;b' /* ; */",
                "-- nothing ; here\nDROP TABLE `d`.`x;y`",
            ]
        );
        assert_eq!(split(" ; ;"), Vec::<&str>::new());
        assert_eq!(
            split("/*!50100 ALTER TABLE d.t ADD c INT; */"),
            ["/*!50100 ALTER TABLE d.t ADD c INT; */"]
        );
    }

    #[test]
    fn only_ddl_with_schemas_is_taken() {
        let number = |text| parse_given(text).unwrap_err().code().number;
        assert_eq!(number(";"), 36_066);
        assert_eq!(number("ALTER TABLE t ADD c INT"), 36_024);
        assert_eq!(number("ALTER TABLE d.t ADD c INT; RENAME TABLE d.a TO b"), 36_024);
        assert_eq!(number("INSERT INTO d.t VALUES (1)"), 36_064);
        assert_eq!(number("ALTER TABLE d.t ADD ADD"), 36_067);
        let good = "ALTER TABLE `d`.`t` ADD COLUMN c INT; ALTER TABLE d.t ADD UNIQUE (c); CREATE DATABASE x";
        assert_eq!(parse_given(good).unwrap().len(), 3);
    }
}
