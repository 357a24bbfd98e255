//! Reads CREATE TABLE and table options.

use super::ast::{CreateTable, TableElement, TableOption};
use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::NameRole;
use crate::error::Result;

/// Options written as one word and a value, with or without `=`.
const VALUED: &[&str] = &[
    "AFFINITY",
    "AUTOEXTEND_SIZE",
    "AUTO_ID_CACHE",
    "AUTO_INCREMENT",
    "AUTO_RANDOM_BASE",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "COMPRESSION",
    "CONNECTION",
    "DELAY_KEY_WRITE",
    "ENCRYPTION",
    "ENGINE_ATTRIBUTE",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "MAX_ROWS",
    "MIN_ROWS",
    "NODEGROUP",
    "PACK_KEYS",
    "PAGE_CHECKSUM",
    "PASSWORD",
    "PRE_SPLIT_REGIONS",
    "ROW_FORMAT",
    "SECONDARY_ENGINE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "SEQUENCE",
    "SHARD_ROW_ID_BITS",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "STATS_SAMPLE_RATE",
    "STATS_BUCKETS",
    "STATS_TOPN",
    "STATS_COL_CHOICE",
    "STATS_COL_LIST",
    "TABLESPACE",
    "TABLE_CHECKSUM",
    "TRANSACTIONAL",
    "TTL_ENABLE",
    "TTL_JOB_INTERVAL",
];

impl Cursor<'_> {
    /// CREATE \[OR REPLACE\] \[TEMPORARY\] TABLE has been read.
    pub(super) fn create_table(
        &mut self,
        or_replace: bool,
        temporary: bool,
    ) -> Result<CreateTable> {
        let if_not_exists = self.if_not_exists();
        let name = self.name(NameRole::Table)?;
        let mut table =
            CreateTable { name, or_replace, temporary, if_not_exists, ..CreateTable::default() };
        if self.eat_kw("LIKE") {
            table.like = Some(self.name(NameRole::Like)?);
        } else if self.is(b'(') && self.is_kw_at(1, "LIKE") {
            self.advance();
            self.advance();
            table.like = Some(self.name(NameRole::Like)?);
            self.expect(b')')?;
        } else {
            self.create_table_body(&mut table)?;
        }
        if table.temporary && self.eat_kws(&["ON", "COMMIT", "DELETE", "ROWS"]) {
            // TiDB's global temporary tables.
        }
        self.expect_end()?;
        Ok(table)
    }

    fn create_table_body(&mut self, table: &mut CreateTable) -> Result {
        if self.is(b'(') && !self.query_in_parens() {
            self.advance();
            table.elements.push(self.table_element()?);
            while self.eat(b',') {
                table.elements.push(self.table_element()?);
            }
            self.expect(b')')?;
        }
        self.table_options(&mut table.options)?;
        if self.is_kw("PARTITION") && self.is_kw_at(1, "BY") {
            table.partitioning = Some(self.partitioning(false)?);
        }
        // The grammar lets the last options stand behind the partitions.
        self.table_options(&mut table.options)?;
        self.eat_any(&["IGNORE", "REPLACE"]);
        self.eat_kw("AS");
        if self.begins_query() {
            let start = self.offset();
            self.query(NameRole::ViewSource)?;
            table.select = Some(start..self.last_end());
        }
        if table.elements.is_empty() && table.select.is_none() {
            return Err(self.unexpected("columns, LIKE or a query"));
        }
        Ok(())
    }

    /// True before SELECT, WITH, TABLE, VALUES or a parenthesis that holds one.
    pub(super) fn begins_query(&self) -> bool {
        self.is_any(&["SELECT", "WITH", "VALUES", "TABLE"]) || self.query_in_parens()
    }

    fn query_in_parens(&self) -> bool {
        let parens = (0..).take_while(|n| self.is_punct_at(*n, b'(')).count();
        parens > 0
            && ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|w| self.is_kw_at(parens, w))
            // A column may be called `values` or `with`-something only in quotes, but TiDB and
            // MySQL let columns carry non-reserved words: what follows tells them apart.
            && !self.is_punct_at(parens + 1, b')')
    }

    /// Table options, separated by white space or commas.
    pub(super) fn table_options(&mut self, options: &mut Vec<TableOption>) -> Result {
        while let Some(option) = self.table_option()? {
            options.push(option);
            self.eat(b',');
        }
        Ok(())
    }

    /// One table option, if one begins here.
    pub(super) fn table_option(&mut self) -> Result<Option<TableOption>> {
        let default = usize::from(self.is_kw("DEFAULT"));
        if self.is_kw_at(default, "CHARSET")
            || (["CHARACTER", "CHAR"].iter().any(|w| self.is_kw_at(default, w))
                && self.is_kw_at(default + 1, "SET"))
        {
            self.eat_kw("DEFAULT");
            if !self.eat_kw("CHARSET") {
                self.advance();
                self.advance();
            }
            self.eat(b'=');
            return Ok(Some(TableOption::Charset(self.charset_word()?)));
        }
        if self.is_kw_at(default, "COLLATE") {
            self.eat_kw("DEFAULT");
            self.advance();
            self.eat(b'=');
            return Ok(Some(TableOption::Collate(self.collation_word()?)));
        }
        if self.eat_option("COMMENT") {
            return Ok(Some(TableOption::Comment(self.string()?)));
        }
        if self.is_kw("ENGINE") || (self.is_kw("TYPE") && self.is_punct_at(1, b'=')) {
            self.advance();
            self.eat(b'=');
            return Ok(Some(TableOption::Engine(self.ident_or_string()?)));
        }
        if self.eat_kws(&["WITH", "SYSTEM", "VERSIONING"]) {
            return Ok(Some(TableOption::SystemVersioning));
        }
        let start = self.offset();
        if self.eat_kws(&["START", "TRANSACTION"]) {
            return Ok(Some(TableOption::StartTransaction(start..self.last_end())));
        }
        self.other_option()
    }

    fn other_option(&mut self) -> Result<Option<TableOption>> {
        let start = self.offset();
        let name = if self.is_any(&["DATA", "INDEX"]) && self.is_kw_at(1, "DIRECTORY") {
            self.advance();
            self.advance();
            format!("{} DIRECTORY", self.first_word(start))
        } else if self.is_kw("PLACEMENT") && self.is_kw_at(1, "POLICY") {
            self.advance();
            self.advance();
            "PLACEMENT POLICY".to_owned()
        } else if self.eat_option("UNION") {
            return self.union_option().map(Some);
        } else if self.is_kw("STORAGE") && (self.is_kw_at(1, "DISK") || self.is_kw_at(1, "MEMORY"))
        {
            self.advance();
            "STORAGE".to_owned()
        } else if self.eat_option("TTL") {
            return self.ttl_option().map(Some);
        } else if self.is_any(VALUED)
            || (self.is_ident_at(0) && self.is_punct_at(1, b'=') && !self.is_any(&["RENAME"]))
        {
            let name = self.ident()?;
            name.to_ascii_uppercase()
        } else {
            return Ok(None);
        };
        self.eat(b'=');
        let value = self.offset();
        self.option_value()?;
        let text = self.text(value..self.last_end()).to_owned();
        Ok(Some(TableOption::Other(name, text)))
    }

    fn first_word(&self, start: usize) -> String {
        let text = self.text(start..self.last_end());
        text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
    }

    /// A number, a string, a word (`DEFAULT`, `4M`, `NULL`).
    fn option_value(&mut self) -> Result {
        match self.kind(0) {
            Some(TokenKind::Word | TokenKind::QuotedIdent | TokenKind::Number) => self.skip_one(),
            Some(TokenKind::String | TokenKind::Hex) => self.skip_one(),
            Some(TokenKind::Punct(b'-')) => {
                self.advance();
                self.skip_one()
            }
            _ => Err(self.unexpected("the value of an option")),
        }
    }

    fn union_option(&mut self) -> Result<TableOption> {
        let start = self.offset();
        self.expect(b'(')?;
        if !self.is(b')') {
            self.name_list(NameRole::Union)?;
        }
        self.expect(b')')?;
        let text = self.text(start..self.last_end()).to_owned();
        Ok(TableOption::Other("UNION".to_owned(), text))
    }

    /// TiDB: ``TTL = `column` + INTERVAL 1 DAY``.
    fn ttl_option(&mut self) -> Result<TableOption> {
        let start = self.offset();
        self.ident()?;
        self.expect(b'+')?;
        self.expect_kw("INTERVAL")?;
        self.skip_one()?;
        self.ident()?;
        Ok(TableOption::Other("TTL".to_owned(), self.text(start..self.last_end()).to_owned()))
    }

    /// `PARTITION BY ...` as text; in ALTER TABLE it reaches to the end.
    pub(super) fn partitioning(&mut self, alter: bool) -> Result<String> {
        let start = self.offset();
        self.advance();
        self.advance();
        let mut behind_list = false;
        while !self.at_end() {
            let stop = self
                .is_any(&["SELECT", "IGNORE", "REPLACE", "AS", "WITH", "VALUES", "TABLE"])
                || (behind_list && !self.is_kw("PARTITIONS") && self.at_option());
            if !alter && stop {
                break;
            }
            behind_list = self.is(b'(');
            self.skip_one()?;
        }
        Ok(self.text(start..self.last_end()).to_owned())
    }

    /// True before an option that may stand behind the partitions.
    fn at_option(&self) -> bool {
        self.is_any(&["ENGINE", "COMMENT", "CHARSET", "COLLATE", "DEFAULT", "START"])
    }
}

impl CreateTable {
    /// The columns in the order written.
    pub fn columns(&self) -> impl Iterator<Item = &super::ast::ColumnDef> {
        self.elements.iter().filter_map(|e| match e {
            TableElement::Column(column) => Some(column),
            _ => None,
        })
    }

    /// True for MySQL's atomic CREATE TABLE ... SELECT: rows follow in the same transaction.
    pub fn starts_transaction(&self) -> bool {
        self.options.iter().any(|o| matches!(o, TableOption::StartTransaction(_)))
    }
}
