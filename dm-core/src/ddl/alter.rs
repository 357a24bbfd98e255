//! Reads ALTER TABLE, clause by clause.

use super::ast::{
    AlterClause, AlterSpec, AlterTable, DropKind, PartitionOp, Position, TableElement,
};
use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::NameRole;
use crate::error::Result;

impl Cursor<'_> {
    /// ALTER \[ONLINE\] \[IGNORE\] TABLE has been read.
    pub(super) fn alter_table(&mut self) -> Result<AlterTable> {
        let if_exists = self.if_exists();
        let name = self.name(NameRole::Table)?;
        let mut alter = AlterTable { name, if_exists, clauses: Vec::new() };
        self.lock_wait()?;
        while !self.at_end() {
            let start = self.offset();
            let spec = self.alter_spec()?;
            alter.clauses.push(AlterClause { spec, span: start..self.end_of(start) });
            // Table options may follow one another without commas, PARTITION BY anything.
            self.eat(b',');
        }
        self.expect_end()?;
        Ok(alter)
    }

    /// MariaDB's `WAIT n` and `NOWAIT`.
    pub(super) fn lock_wait(&mut self) -> Result {
        if self.eat_kw("WAIT") {
            self.skip_one()?;
        } else {
            self.eat_kw("NOWAIT");
        }
        Ok(())
    }

    fn alter_spec(&mut self) -> Result<AlterSpec> {
        if self.eat_kw("ADD") {
            return self.alter_add();
        }
        if self.eat_kw("DROP") {
            return self.alter_drop();
        }
        if self.eat_kw("MODIFY") {
            return self.alter_change(false);
        }
        if self.eat_kw("CHANGE") {
            return self.alter_change(true);
        }
        if self.eat_kw("ALTER") {
            return self.alter_alter();
        }
        if self.eat_kw("RENAME") {
            return self.alter_rename();
        }
        if self.eat_kws(&["CONVERT", "TO"]) {
            return self.alter_convert();
        }
        if let Some(op) = self.partition_spec()? {
            return Ok(AlterSpec::Partition(op));
        }
        if let Some(text) = self.physical_spec()? {
            return Ok(AlterSpec::Physical(text));
        }
        match self.table_option()? {
            Some(option) => Ok(AlterSpec::Option(option)),
            None => Err(self.unexpected("a clause of ALTER TABLE")),
        }
    }

    fn alter_add(&mut self) -> Result<AlterSpec> {
        if self.is_kw("PARTITION") && !self.is_kw_at(1, "BY") {
            self.advance();
            self.skip_partition_clause()?;
            return Ok(AlterSpec::Partition(PartitionOp::Add));
        }
        if self.eat_kws(&["SYSTEM", "VERSIONING"]) {
            return Ok(AlterSpec::AddSystemVersioning);
        }
        if self.is_kw("STATS_EXTENDED") && self.names_extended_stats() {
            return self.tidb_rest();
        }
        if self.is_kw("PERIOD") && self.is_kw_at(1, "IF") {
            // MariaDB: ADD PERIOD IF NOT EXISTS FOR ...
            self.advance();
            self.if_not_exists();
            self.expect_kw("FOR")?;
            return self.period().map(AlterSpec::Add);
        }
        let column = self.eat_kw("COLUMN");
        if !column && let Some(element) = self.key_element()? {
            return Ok(AlterSpec::Add(element));
        }
        let if_not_exists = self.if_not_exists();
        let mut elements = Vec::new();
        if self.eat(b'(') {
            elements.push(self.table_element()?);
            while self.eat(b',') {
                elements.push(self.table_element()?);
            }
            self.expect(b')')?;
            return Ok(AlterSpec::AddColumns {
                if_not_exists,
                elements,
                position: Position::Unsaid,
            });
        }
        elements.push(TableElement::Column(self.column_def()?));
        let position = self.position()?;
        Ok(AlterSpec::AddColumns { if_not_exists, elements, position })
    }

    /// TiDB's `STATS_EXTENDED [IF NOT EXISTS] name kind (columns)`, and no column of that name.
    fn names_extended_stats(&self) -> bool {
        let kinds = ["CARDINALITY", "DEPENDENCY", "CORRELATION"];
        let at = if self.is_kw_at(1, "IF") { 5 } else { 2 };
        kinds.iter().any(|kind| self.is_kw_at(at, kind))
    }

    fn position(&mut self) -> Result<Position> {
        if self.eat_kw("FIRST") {
            return Ok(Position::First);
        }
        if self.eat_kw("AFTER") {
            return Ok(Position::After(self.ident()?));
        }
        Ok(Position::Unsaid)
    }

    fn alter_drop(&mut self) -> Result<AlterSpec> {
        if self.is_kw("PARTITION") {
            self.advance();
            self.if_exists();
            self.skip_partition_clause()?;
            return Ok(AlterSpec::Partition(PartitionOp::Drop));
        }
        if self.eat_kws(&["PRIMARY", "KEY"]) {
            return Ok(AlterSpec::DropPrimaryKey);
        }
        if self.eat_kws(&["SYSTEM", "VERSIONING"]) {
            return Ok(AlterSpec::DropSystemVersioning);
        }
        let behind_column = self.is_kw_at(1, "RESTRICT") || self.is_kw_at(1, "CASCADE");
        if self.is_kw("STATS_EXTENDED") && self.is_ident_at(1) && !behind_column {
            return self.tidb_rest();
        }
        if self.is_kw("PERIOD") && (self.is_kw_at(1, "FOR") || self.is_kw_at(1, "IF")) {
            self.advance();
            self.if_exists();
            self.expect_kw("FOR")?;
            return Ok(AlterSpec::DropPeriod(self.ident()?));
        }
        let kind = if self.eat_kws(&["FOREIGN", "KEY"]) {
            Some(DropKind::ForeignKey)
        } else if self.eat_any(&["INDEX", "KEY"]).is_some() {
            Some(DropKind::Key)
        } else if self.eat_kw("CHECK") {
            Some(DropKind::Check)
        } else if self.eat_kw("CONSTRAINT") {
            Some(DropKind::Constraint)
        } else {
            self.eat_kw("COLUMN");
            None
        };
        let if_exists = self.if_exists();
        let name = self.ident()?;
        let Some(kind) = kind else {
            self.eat_any(&["RESTRICT", "CASCADE"]);
            return Ok(AlterSpec::DropColumn { if_exists, name });
        };
        // Both servers take PRIMARY as the name of the primary key.
        if matches!(kind, DropKind::Key | DropKind::Constraint)
            && name.eq_ignore_ascii_case("PRIMARY")
        {
            return Ok(AlterSpec::DropPrimaryKey);
        }
        Ok(AlterSpec::Drop { kind, if_exists, name })
    }

    fn alter_change(&mut self, rename: bool) -> Result<AlterSpec> {
        self.eat_kw("COLUMN");
        let if_exists = self.if_exists();
        let old = self.ident()?;
        let new = if rename { self.ident()? } else { old.clone() };
        let column = Box::new(self.column_body(new)?);
        let position = self.position()?;
        Ok(AlterSpec::ChangeColumn { if_exists, rename, old, column, position })
    }

    fn alter_alter(&mut self) -> Result<AlterSpec> {
        if self.eat_any(&["INDEX", "KEY"]).is_some() {
            self.if_exists();
            let name = self.ident()?;
            let invisible = if self.eat_kws(&["NOT", "IGNORED"]) {
                false
            } else {
                match self.eat_any(&["VISIBLE", "INVISIBLE", "IGNORED"]) {
                    Some(word) => word != "VISIBLE",
                    None => return Err(self.unexpected("VISIBLE or INVISIBLE")),
                }
            };
            return Ok(AlterSpec::KeyVisibility { name, invisible });
        }
        if self.eat_any(&["CHECK", "CONSTRAINT"]).is_some() {
            let name = self.ident()?;
            let enforced = !self.eat_kw("NOT");
            self.expect_kw("ENFORCED")?;
            return Ok(AlterSpec::Enforce { name, enforced });
        }
        self.eat_kw("COLUMN");
        let if_exists = self.if_exists();
        let name = self.ident()?;
        if self.eat_kws(&["DROP", "DEFAULT"]) {
            return Ok(AlterSpec::ColumnDefault { if_exists, name, default: None });
        }
        self.expect_kw("SET")?;
        if let Some(word) = self.eat_any(&["VISIBLE", "INVISIBLE"]) {
            return Ok(AlterSpec::ColumnVisibility { name, invisible: word == "INVISIBLE" });
        }
        self.expect_kw("DEFAULT")?;
        let default = Some(self.default_value()?);
        Ok(AlterSpec::ColumnDefault { if_exists, name, default })
    }

    fn alter_rename(&mut self) -> Result<AlterSpec> {
        let word = self.eat_any(&["COLUMN", "INDEX", "KEY"]);
        if let Some(word) = word {
            let if_exists = self.if_exists();
            let old = self.ident()?;
            self.expect_kw("TO")?;
            let new = self.ident()?;
            return Ok(match word {
                "COLUMN" => AlterSpec::RenameColumn { if_exists, old, new },
                _ => AlterSpec::RenameKey { if_exists, old, new },
            });
        }
        if self.eat_any(&["TO", "AS"]).is_none() {
            self.eat(b'=');
        }
        Ok(AlterSpec::RenameTable(self.name(NameRole::NewName)?))
    }

    fn alter_convert(&mut self) -> Result<AlterSpec> {
        if !self.eat_kws(&["CHARACTER", "SET"]) && !self.eat_kws(&["CHAR", "SET"]) {
            self.expect_kw("CHARSET")?;
        }
        let charset = if self.eat_kw("DEFAULT") { None } else { Some(self.charset_word()?) };
        let mut collation = None;
        if self.eat_kw("COLLATE") {
            self.eat(b'=');
            collation = Some(self.collation_word()?);
        }
        Ok(AlterSpec::Convert { charset, collation })
    }

    /// Clauses that leave the structure as it is.
    fn physical_spec(&mut self) -> Result<Option<String>> {
        let start = self.offset();
        if self.eat_option("ALGORITHM") || self.eat_option("LOCK") {
            self.ident()?;
        } else if self
            .eat_any(&["FORCE", "CACHE", "NOCACHE", "SECONDARY_LOAD", "SECONDARY_UNLOAD"])
            .is_some()
            || self.eat_kws(&["ENABLE", "KEYS"])
            || self.eat_kws(&["DISABLE", "KEYS"])
            || self.eat_kws(&["DISCARD", "TABLESPACE"])
            || self.eat_kws(&["IMPORT", "TABLESPACE"])
            || self.eat_kws(&["WITH", "VALIDATION"])
            || self.eat_kws(&["WITHOUT", "VALIDATION"])
        {
            // Said in full by the words.
        } else if self.eat_kws(&["ORDER", "BY"]) {
            loop {
                self.name_of_column()?;
                self.eat_any(&["ASC", "DESC"]);
                // A further column, not a further clause: a name before a comma, the end, ASC.
                let more = self.is(b',') && self.column_follows();
                if !more {
                    break;
                }
                self.advance();
            }
        } else if self.is_kw("COMPACT")
            && (self.is_kw_at(1, "PARTITION") || self.is_kw_at(1, "TIFLASH"))
        {
            // TiDB: the partitions of a list, and nothing behind it.
            self.skip_rest()?;
        } else if (self.is_kw("SET") && (self.is_kw_at(1, "TIFLASH") || self.is_kw_at(1, "HYPO")))
            || (self.is_any(&["REMOVE", "ATTRIBUTES", "COMPACT"])
                && !self.is_kw_at(1, "PARTITIONING"))
        {
            // TiDB: SET TIFLASH REPLICA n, REMOVE TTL, ATTRIBUTES = '...', COMPACT.
            // The labels of places are strings, separated by commas.
            let label = |c: &Self| c.kind(1) == Some(TokenKind::String);
            while !self.at_end() && (!self.is(b',') || label(self)) {
                self.skip_one()?;
            }
        } else {
            return Ok(None);
        }
        Ok(Some(self.text(start..self.last_end()).to_owned()))
    }

    fn name_of_column(&mut self) -> Result {
        self.ident()?;
        while self.eat(b'.') {
            self.ident()?;
        }
        Ok(())
    }

    fn column_follows(&self) -> bool {
        self.is_ident_at(1)
            && (self.is_punct_at(2, b',')
                || self.is_punct_at(2, b'.')
                || self.token(2).is_none()
                || self.is_kw_at(2, "ASC")
                || self.is_kw_at(2, "DESC"))
            && !self.is_kw_at(1, "FORCE")
    }

    fn tidb_rest(&mut self) -> Result<AlterSpec> {
        let start = self.offset();
        while !self.at_end() && !self.is(b',') {
            self.skip_one()?;
        }
        Ok(AlterSpec::Physical(self.text(start..self.last_end()).to_owned()))
    }

    /// The clauses about partitions that have a word of their own.
    fn partition_spec(&mut self) -> Result<Option<PartitionOp>> {
        use PartitionOp as P;
        if self.is_kw("PARTITION") && self.is_kw_at(1, "BY") {
            self.partitioning(true)?;
            return Ok(Some(P::Define));
        }
        if self.eat_kws(&["REMOVE", "PARTITIONING"]) {
            if self.eat_kws(&["UPDATE", "INDEXES"]) {
                // TiDB: which of the keys are global from now on.
                self.parens()?;
            }
            return Ok(Some(P::Remove));
        }
        if self.eat_kws(&["CONVERT", "PARTITION"]) {
            self.ident()?;
            self.expect_kw("TO")?;
            self.expect_kw("TABLE")?;
            self.name(NameRole::Exchange)?;
            self.skip_validation();
            return Ok(Some(P::ConvertToTable));
        }
        if self.eat_kws(&["CONVERT", "TABLE"]) {
            self.name(NameRole::Exchange)?;
            self.expect_kw("TO")?;
            self.skip_partition_clause()?;
            return Ok(Some(P::ConvertFromTable));
        }
        if self.eat_kws(&["EXCHANGE", "PARTITION"]) {
            self.ident()?;
            self.expect_kw("WITH")?;
            self.expect_kw("TABLE")?;
            self.name(NameRole::Exchange)?;
            self.skip_validation();
            return Ok(Some(P::Exchange));
        }
        let words = [
            ("TRUNCATE", P::Truncate),
            ("COALESCE", P::Coalesce),
            ("REORGANIZE", P::Reorganize),
            ("ANALYZE", P::Analyze),
            ("CHECK", P::Check),
            ("OPTIMIZE", P::Optimize),
            ("REBUILD", P::Rebuild),
            ("REPAIR", P::Repair),
            ("DISCARD", P::Discard),
            ("IMPORT", P::Import),
            ("SPLIT", P::Other),
            ("MERGE", P::Other),
            ("FIRST", P::Other),
            ("LAST", P::Other),
        ];
        for (word, op) in words {
            if self.is_kw(word) && self.is_kw_at(1, "PARTITION") {
                self.advance();
                self.skip_partition_clause()?;
                return Ok(Some(op));
            }
        }
        let ends = [["SPLIT", "MAXVALUE"], ["MERGE", "FIRST"]];
        if ends.iter().any(|[verb, end]| self.is_kw(verb) && self.is_kw_at(1, end)) {
            // TiDB: ranges at the ends of those that follow each other by an interval.
            self.skip_partition_clause()?;
            return Ok(Some(P::Other));
        }
        if self.is_kw("PARTITION") {
            // TiDB: PARTITION p ATTRIBUTES = ..., PARTITION p PLACEMENT POLICY = ...
            self.skip_partition_clause()?;
            return Ok(Some(P::Other));
        }
        Ok(None)
    }

    fn skip_validation(&mut self) {
        let _ = self.eat_kws(&["WITH", "VALIDATION"]) || self.eat_kws(&["WITHOUT", "VALIDATION"]);
    }

    /// The servers allow nothing behind a clause about partitions, except commas within it.
    fn skip_partition_clause(&mut self) -> Result {
        if self.at_end() {
            return Err(self.unexpected("partitions"));
        }
        self.skip_rest()
    }
}
