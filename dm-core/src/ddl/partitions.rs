//! MariaDB's conditions on partitions: DROP PARTITION IF EXISTS and ADD PARTITION IF NOT EXISTS, for targets that
//! have no such words. Partitions are not tracked; which ones there are the target's own table tells.
//!
//! By MariaDB's rule DROP leaves out those that are not there, and ADD adds none when one of them is there. So a
//! statement that has run does nothing when it comes again.

use super::ast::{AlterClause, AlterSpec, PartitionOp};
use super::lexer::{Comments, TokenKind, lex, unquote_ident};
use super::sql_mode::SqlMode;
use super::statement::{Body, Statement};
use super::unconditional::Cut;
use crate::sql::quote_ident;

/// The names of a table's partitions, by the text that a server prints of it.
pub(crate) fn partition_names(create: &str) -> Vec<String> {
    let Some(at) = create.rfind("PARTITION BY") else { return Vec::new() };
    names_behind(create.get(at..).unwrap_or_default(), SqlMode::default(), "PARTITION")
}

impl Statement {
    /// True when what it does depends on which partitions there are.
    pub(crate) fn asks_for_partitions(&self) -> bool {
        self.partition_clause().is_some_and(|(_, text)| self.cut(text).condition().is_some())
    }

    /// The statement without its condition where these partitions are there; empty when it does nothing then,
    /// `None` for one that cannot be told.
    pub(crate) fn for_partitions(&self, there: &[String]) -> Option<String> {
        let (clause, text) = self.partition_clause()?;
        let cut = self.cut(text);
        if cut.is_in_comments() {
            return None;
        }
        let bare = cut.without_condition();
        let is_there = |name: &String| there.iter().any(|t| t.eq_ignore_ascii_case(name));
        let mode = self.context.sql_mode;
        let changed = match &clause.spec {
            AlterSpec::Partition(PartitionOp::Add) => {
                let names = names_behind(&bare, mode, "PARTITION");
                match names.iter().any(is_there) {
                    true => String::new(),
                    false if names.is_empty() => return None,
                    false => bare,
                }
            }
            _ => {
                let names: Vec<String> = dropped(&bare, mode);
                let left: Vec<String> =
                    names.iter().filter(|n| is_there(n)).map(|n| quote_ident(n)).collect();
                match left.is_empty() {
                    true => String::new(),
                    false if left.len() == names.len() => bare,
                    false => format!("DROP PARTITION {}", left.join(", ")),
                }
            }
        };
        match changed.is_empty() {
            true => Some(changed),
            false => Some(format!(
                "{}{changed}",
                self.cut(self.sql.get(..clause.span.start)?).without_condition()
            )),
        }
    }

    fn cut<'a>(&self, text: &'a str) -> Cut<'a> {
        Cut::new(text, &self.context)
    }

    /// The only clause of an ALTER TABLE that adds or drops partitions.
    fn partition_clause(&self) -> Option<(&AlterClause, &str)> {
        let Body::AlterTable(alter) = &self.body else { return None };
        let [clause] = alter.clauses.as_slice() else { return None };
        let AlterSpec::Partition(PartitionOp::Add | PartitionOp::Drop) = &clause.spec else {
            return None;
        };
        Some((clause, self.sql.get(clause.span.clone())?))
    }
}

/// The names behind a word, where it stands in one parenthesis.
fn names_behind(text: &str, mode: SqlMode, word: &str) -> Vec<String> {
    let lexed = lex(text, mode, Comments::All);
    let (mut depth, mut names) = (0_u32, Vec::new());
    for (token, next) in lexed.tokens.iter().zip(lexed.tokens.iter().skip(1)) {
        let said = text.get(token.span()).unwrap_or_default();
        match token.kind {
            TokenKind::Punct(b'(') => depth += 1,
            TokenKind::Punct(b')') => depth = depth.saturating_sub(1),
            TokenKind::Word if depth == 1 && said.eq_ignore_ascii_case(word) => {
                names.extend(name(text, next.kind, next.span()));
            }
            _ => {}
        }
    }
    names
}

/// The names of DROP PARTITION a, b.
fn dropped(text: &str, mode: SqlMode) -> Vec<String> {
    let lexed = lex(text, mode, Comments::All);
    lexed.tokens.iter().skip(2).filter_map(|t| name(text, t.kind, t.span())).collect()
}

fn name(text: &str, kind: TokenKind, span: std::ops::Range<usize>) -> Option<String> {
    let said = text.get(span)?;
    match kind {
        TokenKind::Word => Some(said.to_owned()),
        TokenKind::QuotedIdent => Some(unquote_ident(said)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ParseContext, parse};
    use super::*;

    fn left(sql: &str, there: &[&str]) -> Option<String> {
        let there: Vec<String> = there.iter().map(|&name| name.to_owned()).collect();
        let statement = parse(sql, &ParseContext::in_schema("d")).unwrap();
        assert!(statement.asks_for_partitions(), "{sql}");
        statement.for_partitions(&there)
    }

    #[test]
    fn what_a_server_prints() {
        let text = "CREATE TABLE `t` (\n `d` int DEFAULT NULL COMMENT 'PARTITION BY'\n) ENGINE=InnoDB\n\
            /*!50100 PARTITION BY RANGE (`d`)\n(PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB,\n \
            PARTITION `p 1` VALUES LESS THAN (partition(20)) COMMENT = 'x' ENGINE = InnoDB) */";
        assert_eq!(partition_names(text), ["p0", "p 1"]);
        assert!(partition_names("CREATE TABLE `t` (`d` int) ENGINE=InnoDB").is_empty());
        let hash = "CREATE TABLE t (d int) PARTITION BY HASH (d)\nPARTITIONS 4";
        assert!(partition_names(hash).is_empty());
    }

    #[test]
    fn those_that_are_there_are_dropped() {
        let sql = "ALTER TABLE IF EXISTS t DROP PARTITION IF EXISTS P0, `p 1`, p2";
        assert_eq!(
            left(sql, &["p0", "p 1", "p2"]).unwrap(),
            "ALTER TABLE t DROP PARTITION P0, `p 1`, p2"
        );
        assert_eq!(left(sql, &["p 1"]).unwrap(), "ALTER TABLE t DROP PARTITION `p 1`");
        assert_eq!(left(sql, &["p3"]).unwrap(), "");
    }

    #[test]
    fn all_are_added_or_none() {
        let sql = "ALTER TABLE t ADD PARTITION IF NOT EXISTS (PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES IN (3))";
        assert_eq!(left(sql, &["p0"]).unwrap(), sql.replace("IF NOT EXISTS ", ""));
        assert_eq!(left(sql, &["P2"]).unwrap(), "");
        assert_eq!(left("ALTER TABLE t ADD PARTITION IF NOT EXISTS PARTITIONS 2", &[]), None);
        let plain = parse("ALTER TABLE t DROP PARTITION p", &ParseContext::in_schema("d")).unwrap();
        assert!(!plain.asks_for_partitions());
    }
}
