//! An ALTER TABLE of several clauses as several statements of one clause each, for targets that
//! take one change at a time.
//!
//! The clauses of one ALTER TABLE all speak of the table as it was before it; one after the other
//! they speak of the table as the earlier ones left it. Whether that comes to the same
//! ([`crate::schema::Tracker::comes_to_the_same`]) has to be asked before the pieces are run: names
//! that change places cannot be taken apart.

use dm_filter::TableName;

use super::SqlMode;
use super::ast::{AlterSpec, TableElement};
use super::lexer::{Comments, TokenKind, lex};
use super::parse::parse;
use super::server::ServerVersion;
use super::statement::{Body, ParseContext, Statement};

impl Statement {
    /// The statement in pieces of one change each, in an order in which they may run; `None` for one
    /// that cannot be taken apart, or has one change only. Spelling is the author's own; hints about
    /// how the whole is to be carried out (ALGORITHM, LOCK) are left out, a new name of the table
    /// comes last.
    pub fn pieces(&self) -> Option<Vec<Self>> {
        let Body::AlterTable(alter) = &self.body else { return None };
        let head = self.sql.get(..alter.clauses.first()?.span.start)?;
        let (mut texts, mut renames) = (Vec::new(), Vec::new());
        for clause in &alter.clauses {
            let text = self.sql.get(clause.span.clone())?;
            match &clause.spec {
                AlterSpec::RenameTable(_) => renames.push(text.to_owned()),
                AlterSpec::AddColumns { elements, .. } if elements.len() > 1 => {
                    let comments =
                        self.context.server.map_or(Comments::All, ServerVersion::comments);
                    texts.extend(added(text, elements, self.context.sql_mode, comments)?);
                }
                AlterSpec::Physical(words) if is_hint(words) => {}
                // WITH VALIDATION and its like belong to the clause before them.
                AlterSpec::Physical(_) => return None,
                _ => texts.push(text.to_owned()),
            }
        }
        texts.append(&mut renames);
        if texts.len() < 2 {
            return None;
        }
        // Text in a comment that servers execute may be cut in the middle.
        let read = |text: &String| {
            parse(&closed(format!("{head}{text}"), &self.context), &self.context).ok()
        };
        let pieces: Option<Vec<Self>> = texts.iter().map(read).collect();
        pieces.filter(|all| all.iter().all(has_one_clause))
    }
}

impl Statement {
    /// The name that an ALTER TABLE gives to its table.
    pub fn new_name(&self) -> Option<&TableName> {
        let Body::AlterTable(alter) = &self.body else { return None };
        alter.clauses.iter().rev().find_map(|clause| match &clause.spec {
            AlterSpec::RenameTable(new) => Some(new),
            _ => None,
        })
    }

    /// The text of an ALTER TABLE without its renames of the table; `None` when nothing is left.
    pub fn without_rename(&self) -> Option<String> {
        let Body::AlterTable(alter) = &self.body else { return None };
        let head = self.sql.get(..alter.clauses.first()?.span.start)?;
        let others = alter.clauses.iter().filter(|c| !matches!(c.spec, AlterSpec::RenameTable(_)));
        let others: Vec<&str> = others.filter_map(|c| self.sql.get(c.span.clone())).collect();
        let text = || closed(format!("{head}{}", others.join(", ")), &self.context);
        (!others.is_empty()).then(text)
    }
}

/// A part of a statement: with the end of a comment that servers execute, where that was cut off.
fn closed(mut part: String, context: &ParseContext) -> String {
    let comments = context.server.map_or(Comments::All, ServerVersion::comments);
    if lex(&part, context.sql_mode, comments).unclosed {
        part.push_str(" */");
    }
    part
}

fn has_one_clause(piece: &Statement) -> bool {
    matches!(&piece.body, Body::AlterTable(alter) if alter.clauses.len() == 1)
}

fn is_hint(words: &str) -> bool {
    let starts = |word: &str| words.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word));
    starts("ALGORITHM") || starts("LOCK")
}

/// `ADD COLUMN (a INT, KEY (a))` as `ADD COLUMN a INT` and `ADD KEY (a)`.
fn added(
    text: &str,
    elements: &[TableElement],
    mode: SqlMode,
    comments: Comments,
) -> Option<Vec<String>> {
    let lexed = lex(text, mode, comments);
    let mut cuts = Vec::new();
    let mut depth = 0_u32;
    for token in &lexed.tokens {
        match token.kind {
            TokenKind::Punct(b'(') => {
                depth += 1;
                if depth == 1 && cuts.is_empty() {
                    cuts.push(token.end);
                }
            }
            TokenKind::Punct(b')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    cuts.push(token.start);
                }
            }
            TokenKind::Punct(b',') if depth == 1 => cuts.push(token.start),
            _ => {}
        }
    }
    let first = *cuts.first()?;
    let column = text.get(..first)?.trim_end().strip_suffix('(')?.trim_end();
    let spans = cuts.iter().zip(cuts.iter().skip(1));
    let parts: Option<Vec<&str>> = spans
        .map(|(from, to)| Some(text.get(*from..*to)?.trim_start_matches(',').trim()))
        .collect();
    let parts = parts?;
    if parts.len() != elements.len() {
        return None;
    }
    let word = |element: &TableElement| match element {
        TableElement::Column(_) => column,
        _ => "ADD",
    };
    Some(elements.iter().zip(parts).map(|(e, part)| format!("{} {part}", word(e))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::ParseContext;
    use super::*;

    fn pieces(sql: &str) -> Option<Vec<String>> {
        let statement = parse(sql, &ParseContext::in_schema("d")).unwrap();
        statement.pieces().map(|all| all.into_iter().map(|s| s.sql).collect())
    }

    #[test]
    fn every_clause_is_a_piece() {
        let sql = "ALTER /* why */ TABLE `t` ADD COLUMN (a INT, `b` DECIMAL(3, 1) DEFAULT (1 + 2), KEY k (a)), \
                   ALGORITHM=INPLACE, DROP c, RENAME TO u, LOCK = NONE, MODIFY e ENUM('x,(', 'y') -- done";
        let wanted = [
            "ALTER /* why */ TABLE `t` ADD COLUMN a INT",
            "ALTER /* why */ TABLE `t` ADD COLUMN `b` DECIMAL(3, 1) DEFAULT (1 + 2)",
            "ALTER /* why */ TABLE `t` ADD KEY k (a)",
            "ALTER /* why */ TABLE `t` DROP c",
            "ALTER /* why */ TABLE `t` MODIFY e ENUM('x,(', 'y')",
            "ALTER /* why */ TABLE `t` RENAME TO u",
        ];
        assert_eq!(pieces(sql).unwrap(), wanted);
        let options = "ALTER TABLE t COMMENT 'x' DEFAULT CHARSET=latin1 COLLATE = latin1_bin";
        assert_eq!(pieces(options).map(|p| p.len()), Some(3));
    }

    #[test]
    fn one_change_is_no_pieces() {
        for sql in [
            "ALTER TABLE t ADD a INT",
            "ALTER TABLE t ADD COLUMN (a INT)",
            "ALTER TABLE t ADD a INT, ALGORITHM=INSTANT",
            "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u WITHOUT VALIDATION",
            "CREATE TABLE t (a INT)",
        ] {
            assert_eq!(pieces(sql), None, "{sql}");
        }
        let in_comment = pieces("ALTER TABLE t ADD a INT /*!50100 , DROP b */").unwrap();
        assert_eq!(in_comment, ["ALTER TABLE t ADD a INT", "ALTER TABLE t DROP b"]);
        let closed = pieces("ALTER TABLE t ADD a INT /*!50100 COMMENT 'x' */, /*!50100 DROP b */");
        let wanted = ["ALTER TABLE t ADD a INT /*!50100 COMMENT 'x' */", "ALTER TABLE t DROP b"];
        assert_eq!(closed.unwrap(), wanted);
        let head = pieces("ALTER TABLE t /*!50100 ADD a INT, DROP b */").unwrap();
        let wanted = ["ALTER TABLE t /*!50100 ADD a INT */", "ALTER TABLE t /*!50100 DROP b */"];
        assert_eq!(head, wanted);
    }
}
