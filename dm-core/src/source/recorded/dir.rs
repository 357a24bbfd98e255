//! What is in a dump directory.
//!
//! File names say which kind of file it is and which files belong together. They do not say the
//! names of schemas and tables for sure: Dumpling escapes special characters by percent, mydumper
//! does not, or uses numbers of its own. So names are taken from the CREATE statements, and a file
//! of rows belongs to the table whose schema file has the same beginning.
//!
//! Dumpling numbers files of rows with 9 or 13 digits, mydumper with 5 or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use dm_filter::TableName;

use super::metadata::{self, Metadata};
use super::scan::Packing;
use crate::ddl::{self, Body, Comments, ParseContext, SqlMode, TokenKind, lex};
use crate::error::{Code, Error, Result, codes};
use crate::source::SchemaInfo;

/// A structure is never longer; a file that is, is none.
const MAX_SCHEMA_FILE: u64 = 64 << 20;

/// How the rows of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Sql,
    Csv,
}

/// A file of rows.
#[derive(Clone, Debug)]
pub(super) struct RowFile {
    /// Its name within the directory.
    pub name: String,
    /// Size on disk.
    pub bytes: u64,
    pub format: Format,
    pub packing: Packing,
    /// Numbered as Dumpling does.
    pub dumpling: bool,
    number: Vec<u64>,
}

/// A table of the dump.
#[derive(Clone, Debug)]
pub(super) struct DumpTable {
    pub name: TableName,
    /// Its CREATE TABLE statement.
    pub create_sql: String,
    /// In the order of numbers.
    pub files: Vec<RowFile>,
}

/// A dump directory.
#[derive(Debug)]
pub(super) struct DumpDir {
    pub path: PathBuf,
    pub metadata: Metadata,
    pub has_metadata: bool,
    pub schemas: Vec<SchemaInfo>,
    pub tables: BTreeMap<TableName, DumpTable>,
    /// Files of rows without a structure, by the name that their file names suggest.
    pub loose: Vec<(TableName, String)>,
    /// Tables whose schema has no file.
    pub homeless: Vec<(TableName, String)>,
}

/// A file by its name.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Schema,
    Table,
    View,
    Rows(Format),
    /// Triggers, routines, sequences: no part of a migration.
    Other,
}

/// What kind of file a name (without packing) stands for, and its beginning.
fn kind(name: &str) -> Option<(Kind, &str)> {
    if let Some(stem) = name.strip_suffix(".csv") {
        return Some((Kind::Rows(Format::Csv), stem));
    }
    let stem = name.strip_suffix(".sql")?;
    let endings = [
        ("-schema-create", Kind::Schema),
        ("-schema-view", Kind::View),
        ("-schema-triggers", Kind::Other),
        ("-schema-post", Kind::Other),
        ("-schema-sequence", Kind::Other),
        ("-schema", Kind::Table),
    ];
    for (ending, kind) in endings {
        if let Some(stem) = stem.strip_suffix(ending) {
            return Some((kind, stem));
        }
    }
    Some((Kind::Rows(Format::Sql), stem))
}

/// Takes numbers off the end of a beginning: `d.t.00001.00002` is `d.t`, 1, 2.
fn numbers<'a>(stem: &'a str, known: &BTreeSet<String>) -> (&'a str, Vec<u64>, bool) {
    let mut rest = stem;
    let mut found = Vec::new();
    let mut dumpling = false;
    while !known.contains(rest) && found.len() < 2 {
        let Some((before, digits)) = rest.rsplit_once('.') else { break };
        let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let Some(number) = digits.parse().ok().filter(|_| all && before.contains('.')) else {
            break;
        };
        dumpling = matches!(digits.len(), 9 | 13);
        found.insert(0, number);
        rest = before;
    }
    (rest, found, dumpling)
}

/// Percent escapes of a file name.
fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The files of a directory, sorted by kind.
#[derive(Default)]
struct Listing {
    schemas: BTreeMap<String, String>,
    tables: BTreeMap<String, String>,
    views: BTreeSet<String>,
    rows: Vec<(String, Format, Packing, u64)>,
}

impl DumpDir {
    /// Reads the directory: its metadata and all structures.
    pub fn open(path: &Path) -> Result<Self> {
        let mut listing = list(path)?;
        let (metadata, has_metadata) = read_metadata(path)?;
        // What a view looks like as a table is only there for tools that restore in two steps.
        let views = std::mem::take(&mut listing.views);
        listing.tables.retain(|stem, _| !views.contains(stem));
        let mut dir = Self {
            path: path.to_owned(),
            metadata,
            has_metadata,
            schemas: Vec::new(),
            tables: BTreeMap::new(),
            loose: Vec::new(),
            homeless: Vec::new(),
        };
        let mut names = BTreeMap::new();
        for (stem, file) in &listing.schemas {
            let schema = read_schema(path, file)?;
            names.insert(stem.clone(), schema.name.clone());
            dir.schemas.push(schema);
        }
        let by_stem = dir.read_tables(&listing, &names)?;
        dir.add_rows(&listing, &by_stem);
        Ok(dir)
    }

    fn read_tables(
        &mut self,
        listing: &Listing,
        schemas: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, TableName>> {
        let mut by_stem = BTreeMap::new();
        for (stem, file) in &listing.tables {
            let (table, create_sql) = read_table(&self.path, file)?;
            let name = match schema_of(stem, schemas) {
                Some(schema) => TableName::new(schema, table),
                None => {
                    let schema = unescape(stem.split('.').next().unwrap_or_default());
                    let name = TableName::new(schema, table);
                    self.homeless.push((name.clone(), file.clone()));
                    name
                }
            };
            let made = DumpTable { name: name.clone(), create_sql, files: Vec::new() };
            if self.tables.insert(name.clone(), made).is_some() {
                return Err(twice(&format!("table {name}"), file));
            }
            by_stem.insert(stem.clone(), name);
        }
        Ok(by_stem)
    }

    fn add_rows(&mut self, listing: &Listing, by_stem: &BTreeMap<String, TableName>) {
        let known: BTreeSet<String> = by_stem.keys().cloned().collect();
        for (file, format, packing, bytes) in &listing.rows {
            let (bare, _) = Packing::split(file);
            let Some((_, stem)) = kind(bare) else { continue };
            let (stem, number, dumpling) = numbers(stem, &known);
            let table = by_stem.get(stem).and_then(|name| self.tables.get_mut(name));
            let Some(table) = table else {
                let (schema, table) = stem.split_once('.').unwrap_or((stem, ""));
                if table.is_empty() {
                    log::warn!("{file} of the dump directory is passed over: what is it?");
                } else {
                    let name = TableName::new(unescape(schema), unescape(table));
                    self.loose.push((name, file.clone()));
                }
                continue;
            };
            table.files.push(RowFile {
                name: file.clone(),
                bytes: *bytes,
                format: *format,
                packing: *packing,
                dumpling,
                number,
            });
        }
        for table in self.tables.values_mut() {
            table.files.sort_by(|a, b| (&a.number, &a.name).cmp(&(&b.number, &b.name)));
        }
    }
}

/// The schema whose file has the longest beginning in common with a table's.
fn schema_of(stem: &str, schemas: &BTreeMap<String, String>) -> Option<String> {
    let fits = |s: &&String| stem.strip_prefix(s.as_str()).is_some_and(|r| r.starts_with('.'));
    let longest = schemas.keys().filter(fits).max_by_key(|s| s.len())?;
    schemas.get(longest).cloned()
}

fn list(path: &Path) -> Result<Listing> {
    let failed = |e: std::io::Error| {
        Error::new(
            &codes::LOAD_NO_DIR,
            format!("the dump directory {} cannot be read", path.display()),
        )
        .cause(e)
        .workaround("Check `recorded.dump-dir` of the source, or `dir` of the loader.")
    };
    let mut listing = Listing::default();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let (bare, packing) = Packing::split(&file);
        let Some((kind, stem)) = kind(bare) else { continue };
        let stem = stem.to_owned();
        let before = match kind {
            Kind::Other => None,
            Kind::View => {
                listing.views.insert(stem);
                None
            }
            Kind::Schema => listing.schemas.insert(stem, file.clone()),
            Kind::Table => listing.tables.insert(stem, file.clone()),
            Kind::Rows(format) => {
                let bytes = entry.metadata().map_err(failed)?.len();
                listing.rows.push((file.clone(), format, packing, bytes));
                None
            }
        };
        if let Some(before) = before {
            return Err(twice(&before, &file));
        }
    }
    Ok(listing)
}

fn twice(one: &str, other: &str) -> Error {
    Error::new(
        &codes::LOAD_TWO_SCHEMAS,
        format!("the dump directory has two structures of one name: {one}, and again in {other}"),
    )
    .workaround("Remove the file that does not belong to this dump.")
}

fn read_metadata(path: &Path) -> Result<(Metadata, bool)> {
    match std::fs::read_to_string(path.join("metadata")) {
        Ok(text) => Ok((metadata::parse(&text)?, true)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if path.join("metadata.partial").exists() {
                return Err(Error::new(
                    &codes::DUMP_METADATA,
                    format!("the dump in {} was not finished: metadata.partial", path.display()),
                )
                .workaround("Take the dump again and let it end."));
            }
            Ok((Metadata::default(), false))
        }
        Err(e) => {
            let file = path.join("metadata");
            Err(Error::new(&codes::DUMP_METADATA, format!("reading {}", file.display())).cause(e))
        }
    }
}

fn bad_schema(file: &str, why: impl std::fmt::Display) -> Error {
    Error::new(&codes::LOAD_SCHEMA_FILE, format!("schema file {file} of the dump directory: {why}"))
        .workaround("The file is cut off or damaged: take the dump again.")
}

/// The first CREATE statement of a schema file.
fn read_create(path: &Path, file: &str) -> Result<String> {
    let (_, packing) = Packing::split(file);
    let failed = |e: std::io::Error| bad_schema(file, "it cannot be read").cause(e);
    let mut bytes = Vec::new();
    let reader = packing.open(&path.join(file)).map_err(failed)?;
    reader.take(MAX_SCHEMA_FILE).read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_| bad_schema(file, "it is no UTF-8"))?;
    let found = create_statement(&text);
    found.map(str::to_owned).ok_or_else(|| bad_schema(file, "it holds no whole CREATE statement"))
}

/// The first statement that begins with CREATE and ends in a semicolon.
fn create_statement(text: &str) -> Option<&str> {
    let lexed = lex(text, SqlMode::default(), Comments::All);
    let mut begin: Option<usize> = None;
    let mut fresh = true;
    for token in &lexed.tokens {
        let word = text.get(token.span()).unwrap_or_default();
        if token.kind == TokenKind::Punct(b';') && token.region.is_none() {
            if let Some(begin) = begin {
                return text.get(begin..token.start).map(str::trim_end);
            }
            fresh = true;
            continue;
        }
        if fresh && token.kind == TokenKind::Word && word.eq_ignore_ascii_case("CREATE") {
            begin = Some(token.start);
        }
        fresh = false;
    }
    None
}

fn read_schema(path: &Path, file: &str) -> Result<SchemaInfo> {
    let sql = read_create(path, file)?;
    let statement = ddl::parse(&sql, &ParseContext::default())
        .map_err(|e| bad_schema(file, e.message().to_owned()))?;
    match statement.body {
        Body::CreateDatabase(def) => Ok(SchemaInfo {
            name: def.name,
            charset: def.charset.unwrap_or_default(),
            collation: def.collation.unwrap_or_default(),
        }),
        _ => Err(bad_schema(file, "its statement creates no schema")),
    }
}

/// The table's name and its CREATE TABLE statement.
fn read_table(path: &Path, file: &str) -> Result<(String, String)> {
    let sql = read_create(path, file)?;
    let statement = ddl::parse(&sql, &ParseContext::default())
        .map_err(|e| bad_schema(file, e.message().to_owned()))?;
    match &statement.body {
        Body::CreateTable(create) => Ok((create.name.table.clone(), sql)),
        _ => Err(bad_schema(file, "its statement creates no table")),
    }
}

/// Refuses what is wanted and incomplete.
pub(super) fn complain(
    list: &[(TableName, String)],
    choose: &crate::source::TableChoice,
    code: &'static Code,
    lacks: &str,
) -> Result {
    match list.iter().find(|(name, _)| choose(name)) {
        None => Ok(()),
        Some((name, file)) => Err(Error::new(
            code,
            format!("{file} of the dump directory belongs to {name}, {lacks}"),
        )
        .workaround(
            "Copy the missing file into the directory, take the dump again, or exclude the table \
             with the block-allow-list.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(stems: &[&str]) -> BTreeSet<String> {
        stems.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn names_of_files() {
        assert_eq!(kind("d-schema-create.sql"), Some((Kind::Schema, "d")));
        assert_eq!(kind("d.t-schema.sql"), Some((Kind::Table, "d.t")));
        assert_eq!(kind("d.v-schema-view.sql"), Some((Kind::View, "d.v")));
        assert_eq!(kind("d.t-schema-triggers.sql"), Some((Kind::Other, "d.t")));
        assert_eq!(kind("d.t.000000000.sql"), Some((Kind::Rows(Format::Sql), "d.t.000000000")));
        assert_eq!(kind("d.t.csv"), Some((Kind::Rows(Format::Csv), "d.t")));
        assert_eq!(kind("metadata"), None);
    }

    #[test]
    fn numbers_of_every_tool() {
        let tables = known(&["d.t", "d.7"]);
        assert_eq!(numbers("d.t.0000000030002", &tables), ("d.t", vec![30002], true));
        assert_eq!(numbers("d.t.000000003", &tables), ("d.t", vec![3], true));
        assert_eq!(numbers("d.t.00003", &tables), ("d.t", vec![3], false));
        assert_eq!(numbers("d.t.00003.00001", &tables), ("d.t", vec![3, 1], false));
        assert_eq!(numbers("d.t", &tables), ("d.t", vec![], false));
        assert_eq!(numbers("d.7", &tables), ("d.7", vec![], false));
        assert_eq!(numbers("d.8", &known(&[])), ("d.8", vec![], false));
    }

    #[test]
    fn percent_escapes() {
        assert_eq!(unescape("a%2Eb%25c"), "a.b%c");
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(unescape("%zz%2"), "%zz%2");
    }

    #[test]
    fn the_create_statement_of_a_file() {
        let text =
            "/*!40101 SET NAMES binary*/;\n-- x;\nCREATE TABLE `a;b` (`c` INT COMMENT ';');\n";
        assert_eq!(create_statement(text), Some("CREATE TABLE `a;b` (`c` INT COMMENT ';')"));
        assert_eq!(create_statement("CREATE TABLE t (a INT)"), None);
        assert_eq!(create_statement("SET x = 1; DROP TABLE t;"), None);
    }
}
