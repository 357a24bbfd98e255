//! What the files of a case say.

use std::path::{Path, PathBuf};

use super::super::compare::{Pair, SourceTable};
use super::super::server::Flavor;

/// A case as its files say.
#[derive(Clone, Debug)]
pub struct Case {
    /// The directory's name.
    pub name: String,
    /// The directory.
    pub dir: PathBuf,
    /// Which servers it runs with.
    pub lines: Vec<Line>,
    /// How many sources it has.
    pub sources: usize,
    /// What is compared at the end.
    pub compare: Compare,
    /// Queries at the target with their answers.
    pub expect: Vec<Expect>,
    /// Texts of the error that the last run must end with; empty when it must go well.
    pub failure: Vec<String>,
    /// Why the case is left out: (pair of servers, `external` or `all`; reason).
    pub ignore: Vec<(String, String)>,
}

/// A line of `flavors`: sources (repeated when there are more) and target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The flavors of the sources.
    pub sources: Vec<Flavor>,
    /// The flavor of the target; `None` is a SQLite file.
    pub target: Option<Flavor>,
    /// As written.
    pub text: String,
}

/// What is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compare {
    /// Every table of every source, under its own name.
    pub all: bool,
    /// Tables by name.
    pub pairs: Vec<Pair>,
    /// Tables that must not be at the target.
    pub absent: Vec<(String, String)>,
    /// Rows only, not the structures.
    pub rows_only: bool,
    /// The target may have more columns.
    pub more_columns: bool,
}

/// A query and the rows that it must give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The query.
    pub query: String,
    /// The rows, values between tabs.
    pub rows: Vec<String>,
}

impl Case {
    /// All cases of a directory, by name.
    pub fn load_all(dir: &Path) -> Vec<Result<Self, String>> {
        let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        let mut dirs: Vec<PathBuf> =
            entries.map(|e| e.expect("entry").path()).filter(|p| p.is_dir()).collect();
        dirs.sort();
        dirs.iter().map(|dir| Self::load(dir)).collect()
    }

    /// Reads a case; the error names the file and what is wrong.
    pub fn load(dir: &Path) -> Result<Self, String> {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let read = |file: &str| std::fs::read_to_string(dir.join(file)).ok();
        let wrong = |file: &str, why: String| format!("{name}/{file}: {why}");
        if read("task.yaml").is_none() {
            return Err(wrong("task.yaml", "is missing".to_owned()));
        }
        known_files(dir).map_err(|why| wrong("", why))?;
        let lines = parse_flavors(&read("flavors").unwrap_or_else(|| "mysql -> mysql".to_owned()))
            .map_err(|why| wrong("flavors", why))?;
        let expect = parse_expect(&read("expect").unwrap_or_default())
            .map_err(|why| wrong("expect", why))?;
        let compare = match read("compare") {
            Some(text) => parse_compare(&text).map_err(|why| wrong("compare", why))?,
            None => Compare { all: expect.is_empty(), ..Compare::default() },
        };
        if !expect.is_empty() && lines.iter().any(|l| l.target.is_none()) {
            return Err(wrong("expect", "a SQLite target is compared, not queried".to_owned()));
        }
        let sources =
            (1..).take_while(|n| dir.join(format!("source-{n}.yaml")).exists()).count().max(1);
        let meaningful =
            |text: String| -> Vec<String> { lines_of(&text).map(str::to_owned).collect() };
        let failure = read("expect_failure").map(meaningful).unwrap_or_default();
        let ignore = read("ignore").map(meaningful).unwrap_or_default();
        let ignore = ignore
            .iter()
            .map(|line| {
                line.split_once(':')
                    .map(|(what, why)| (what.trim().to_owned(), why.trim().to_owned()))
            })
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("ignore", "each line is WHAT: REASON".to_owned()))?;
        Ok(Self { name, dir: dir.to_owned(), lines, sources, compare, expect, failure, ignore })
    }

    /// A file of the case.
    pub fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.dir.join(file)).ok()
    }

    /// Why the case is left out with these servers.
    pub fn ignored(&self, line: &Line, external: bool) -> Option<&str> {
        let hit =
            |what: &str| what == "all" || what == line.text || (external && what == "external");
        self.ignore.iter().find(|(what, _)| hit(what)).map(|(_, why)| why.as_str())
    }
}

/// A file that nothing reads is a mistake in its name.
fn known_files(dir: &Path) -> Result<(), String> {
    const KNOWN: &[&str] = &[
        "task.yaml",
        "compare",
        "expect",
        "expect_failure",
        "flavors",
        "ignore",
        "args",
        "README.md",
        "target.sql",
        "repair.sql",
        "while.sql",
        "source.sql",
        "during.sql",
    ];
    for entry in std::fs::read_dir(dir).map_err(|e| e.to_string())? {
        let file = entry.map_err(|e| e.to_string())?.file_name().to_string_lossy().into_owned();
        let numbered = ["source-", "during-", "while-"].iter().find_map(|p| file.strip_prefix(p));
        let numbered =
            numbered.and_then(|rest| rest.strip_suffix(".sql").or(rest.strip_suffix(".yaml")));
        if !KNOWN.contains(&file.as_str()) && numbered.is_none_or(|n| n.parse::<usize>().is_err()) {
            return Err(format!("nothing reads the file {file}"));
        }
    }
    Ok(())
}

/// Lines that are neither empty nor a comment.
pub fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_end).filter(|l| !l.is_empty() && !l.starts_with('#'))
}

/// `mysql, mariadb -> mysql`: a line for each set of servers.
pub fn parse_flavors(text: &str) -> Result<Vec<Line>, String> {
    let flavor =
        |word: &str| Flavor::parse(word.trim()).ok_or_else(|| format!("no server {word:?}"));
    let parse = |line: &str| {
        let (sources, target) =
            line.split_once("->").ok_or_else(|| format!("no -> in {line:?}"))?;
        let sources = sources.split(',').map(flavor).collect::<Result<_, _>>()?;
        let target = if target.trim() == "sqlite" { None } else { Some(flavor(target)?) };
        Ok(Line { sources, target, text: line.to_owned() })
    };
    lines_of(text).map(parse).collect()
}

/// The directives of a `compare` file.
pub fn parse_compare(text: &str) -> Result<Compare, String> {
    let mut compare = Compare::default();
    for line in lines_of(text) {
        if let Some(name) = line.strip_prefix("absent ") {
            let table = parse_table(name)?;
            compare.absent.push((table.schema, table.table));
        } else if let Some((sources, target)) = line.split_once(" -> ") {
            let sources = sources.split(", ").map(parse_table).collect::<Result<Vec<_>, _>>()?;
            let target = parse_table(target)?;
            compare.pairs.push(Pair { sources, schema: target.schema, table: target.table });
        } else {
            match line {
                "all" => compare.all = true,
                "none" => {}
                "rows only" => compare.rows_only = true,
                "more columns" => compare.more_columns = true,
                _ => return Err(format!("not understood: {line:?}")),
            }
        }
    }
    Ok(compare)
}

/// `[N:]schema.table`, each name bare or in backticks; N counts the sources from 1.
pub fn parse_table(text: &str) -> Result<SourceTable, String> {
    let wrong = || format!("not [N:]schema.table: {text:?}");
    let text = text.trim();
    let (source, names) = match text.split_once(':') {
        Some((number, names)) if number.bytes().all(|b| b.is_ascii_digit()) => {
            let number: usize = number.parse().map_err(|_| wrong())?;
            (number.checked_sub(1).ok_or_else(wrong)?, names)
        }
        _ => (0, text),
    };
    let (schema, rest) = parse_name(names).ok_or_else(wrong)?;
    let (table, rest) = parse_name(rest.strip_prefix('.').ok_or_else(wrong)?).ok_or_else(wrong)?;
    if !rest.is_empty() {
        return Err(wrong());
    }
    Ok(SourceTable { source, schema, table })
}

fn parse_name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find('.').unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('`')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('`') {
            Some(more) => {
                name.push('`');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

/// Queries, each followed by its rows on lines that begin with `-> `.
pub fn parse_expect(text: &str) -> Result<Vec<Expect>, String> {
    let mut list: Vec<Expect> = Vec::new();
    let mut query = String::new();
    for line in lines_of(text) {
        match line.strip_prefix("->") {
            Some(row) => {
                if !query.is_empty() {
                    list.push(Expect { query: std::mem::take(&mut query), rows: Vec::new() });
                }
                let last = list.last_mut().ok_or("a row before any query")?;
                let row = row.strip_prefix(' ').unwrap_or(row);
                if row != "(none)" {
                    last.rows.push(row.to_owned());
                }
            }
            None => {
                query.push_str(line);
                query.push('\n');
            }
        }
    }
    if query.is_empty() {
        Ok(list)
    } else {
        Err(format!("a query without rows (-> or -> (none)): {query}"))
    }
}
