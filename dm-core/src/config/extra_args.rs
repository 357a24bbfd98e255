//! `extra-args` of a dump: the command line of Dumpling, or of mydumper, that a user wrote down.
//!
//! DM hands the text to Dumpling; a flag it does not know makes it forget all flags behind that one,
//! with a line in a log. Here every flag is understood, or refused. Flags that say which tables are
//! copied, and in which portions, are honoured; flags about files and their form have no object,
//! since nothing is written to files.

use super::TableSelector;
use super::plan::Consistency;
use super::scalar::bytes;

/// What the flags say; what they do not mention is `None`.
#[derive(Debug, Default)]
pub(super) struct ExtraArgs {
    pub threads: Option<u64>,
    pub chunk_bytes: Option<u64>,
    pub statement_bytes: Option<u64>,
    pub rows: Option<u64>,
    pub where_clause: Option<String>,
    pub consistency: Option<Consistency>,
    pub snapshot: Option<String>,
    pub select: TableSelector,
    pub views: Option<bool>,
    pub ca: Option<String>,
    pub cert: Option<String>,
    pub key: Option<String>,
    /// Flags without effect, each with the reason.
    pub ignored: Vec<String>,
}

/// What a flag does.
#[derive(Clone, Copy)]
enum Flag {
    Database,
    Tables,
    Filter,
    Regex,
    Threads,
    FileSize,
    StatementSize,
    Rows,
    Where,
    Consistency,
    NoLocks,
    Transactional,
    Snapshot,
    NoViews,
    EscapeBackslash,
    Ca,
    Cert,
    Key,
    CaseSensitive,
    /// Without effect, with a value.
    IgnoredValue(&'static str),
    /// Without effect, without a value.
    IgnoredSwitch(&'static str),
}

const FILES: &str = "rows go to the target directly, no files are written";
const ELSEWHERE: &str = "the source file says how the server is reached";
const ALWAYS: &str = "this is always so";
const LOGS: &str = "logging is set on the command line of dm";

/// Long name, short name (or a blank), meaning. In the order of Dumpling's and mydumper's own help.
const FLAGS: &[(&str, char, Flag)] = &[
    ("database", 'B', Flag::Database),
    ("tables-list", 'T', Flag::Tables),
    ("filter", 'f', Flag::Filter),
    ("regex", 'x', Flag::Regex),
    ("threads", 't', Flag::Threads),
    ("filesize", 'F', Flag::FileSize),
    ("chunk-filesize", ' ', Flag::FileSize),
    ("statement-size", 's', Flag::StatementSize),
    ("rows", 'r', Flag::Rows),
    ("where", ' ', Flag::Where),
    ("consistency", ' ', Flag::Consistency),
    ("no-locks", 'k', Flag::NoLocks),
    ("transactional-consistency", ' ', Flag::Transactional),
    ("trx-consistency-only", ' ', Flag::IgnoredSwitch(ALWAYS)),
    ("snapshot", ' ', Flag::Snapshot),
    ("no-views", 'W', Flag::NoViews),
    ("escape-backslash", ' ', Flag::EscapeBackslash),
    ("case-sensitive", ' ', Flag::CaseSensitive),
    ("ca", ' ', Flag::Ca),
    ("cert", ' ', Flag::Cert),
    ("key", ' ', Flag::Key),
    ("output", 'o', Flag::IgnoredValue(FILES)),
    ("outputdir", ' ', Flag::IgnoredValue(FILES)),
    ("output-filename-template", ' ', Flag::IgnoredValue(FILES)),
    ("filetype", ' ', Flag::IgnoredValue(FILES)),
    ("compress", 'c', Flag::IgnoredValue(FILES)),
    ("no-header", ' ', Flag::IgnoredSwitch(FILES)),
    ("csv-null-value", ' ', Flag::IgnoredValue(FILES)),
    ("csv-separator", ' ', Flag::IgnoredValue(FILES)),
    ("csv-delimiter", ' ', Flag::IgnoredValue(FILES)),
    ("build-empty-files", 'e', Flag::IgnoredSwitch(FILES)),
    ("order-by-primary-key", ' ', Flag::IgnoredSwitch(ALWAYS)),
    ("complete-insert", ' ', Flag::IgnoredSwitch(ALWAYS)),
    ("skip-tz-utc", ' ', Flag::IgnoredSwitch("times are always copied exactly")),
    ("tz-utc", ' ', Flag::IgnoredSwitch("times are always copied exactly")),
    ("use-savepoints", ' ', Flag::IgnoredSwitch("locks on structures are held for a chunk only")),
    ("less-locking", ' ', Flag::IgnoredSwitch("locks are held for a moment only")),
    ("host", 'h', Flag::IgnoredValue(ELSEWHERE)),
    ("port", 'P', Flag::IgnoredValue(ELSEWHERE)),
    ("user", 'u', Flag::IgnoredValue(ELSEWHERE)),
    ("password", 'p', Flag::IgnoredValue(ELSEWHERE)),
    ("allow-cleartext-passwords", ' ', Flag::IgnoredSwitch(ELSEWHERE)),
    ("params", ' ', Flag::IgnoredValue("`session` of the source file sets variables")),
    ("read-timeout", ' ', Flag::IgnoredValue("a connection that is alive is not given up")),
    ("loglevel", ' ', Flag::IgnoredValue(LOGS)),
    ("logfile", 'L', Flag::IgnoredValue(LOGS)),
    ("logfmt", ' ', Flag::IgnoredValue(LOGS)),
    ("verbose", 'v', Flag::IgnoredValue(LOGS)),
    ("status-addr", ' ', Flag::IgnoredValue("`dm query-status` shows the progress")),
    ("tidb-mem-quota-query", ' ', Flag::IgnoredValue("chunks are small enough")),
];

/// Reads the whole text. An error says what is wrong with it.
pub(super) fn parse(text: &str, case_sensitive: bool) -> Result<ExtraArgs, Vec<String>> {
    let words = match split(text) {
        Ok(words) => words,
        Err(e) => return Err(vec![e]),
    };
    let mut args = ExtraArgs { select: TableSelector::new(case_sensitive), ..ExtraArgs::default() };
    let mut reader = Reader { words: words.into_iter(), errors: Vec::new() };
    let mut tables = Vec::new();
    while let Some(word) = reader.words.next() {
        for (name, flag, value) in reader.flags(&word) {
            if let Flag::Tables = flag {
                // A table's name alone belongs to the schema of -B, which may come later.
                tables.extend(value);
                continue;
            }
            if let Err(why) = apply(&mut args, &name, flag, value.as_deref()) {
                reader.errors.push(why);
            }
        }
    }
    for list in tables {
        if let Err(why) = args.select.add_tables(&list) {
            reader.errors.push(format!("-T: {why}"));
        }
    }
    if reader.errors.is_empty() { Ok(args) } else { Err(reader.errors) }
}

/// The flags that have an effect: long name, short name.
pub(super) fn honoured() -> impl Iterator<Item = (&'static str, Option<char>)> {
    FLAGS
        .iter()
        .filter(|(_, _, flag)| {
            !matches!(
                flag,
                Flag::IgnoredValue(_)
                    | Flag::IgnoredSwitch(_)
                    | Flag::Transactional
                    | Flag::EscapeBackslash
            )
        })
        .map(|(long, short, _)| (*long, Some(*short).filter(|c| *c != ' ')))
}

struct Reader {
    words: std::vec::IntoIter<String>,
    errors: Vec<String>,
}

impl Reader {
    /// The flags that a word holds, with their values; short switches may stand together (`-kW`).
    fn flags(&mut self, word: &str) -> Vec<(String, Flag, Option<String>)> {
        if let Some(long) = word.strip_prefix("--") {
            return self.long(long).into_iter().collect();
        }
        let Some(mut rest) = word.strip_prefix('-').filter(|r| !r.is_empty()) else {
            self.errors.push(format!("`{word}` is no flag"));
            return Vec::new();
        };
        let mut found = Vec::new();
        while let Some(c) = rest.chars().next() {
            rest = rest.get(c.len_utf8()..).unwrap_or("");
            let name = format!("-{c}");
            let Some((_, _, flag)) = FLAGS.iter().find(|(_, short, _)| *short == c && c != ' ')
            else {
                self.errors.push(format!("`{name}` is not a known flag"));
                return found;
            };
            if !takes_value(*flag) {
                found.push((name, *flag, None));
                continue;
            }
            let value = match rest.strip_prefix('=').unwrap_or(rest) {
                "" => self.words.next(),
                attached => Some(attached.to_owned()),
            };
            match value {
                Some(value) => found.push((name, *flag, Some(value))),
                None => self.errors.push(format!("`{name}` lacks its value")),
            }
            return found;
        }
        found
    }

    fn long(&mut self, long: &str) -> Option<(String, Flag, Option<String>)> {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let Some((_, _, flag)) = FLAGS.iter().find(|(long, ..)| *long == name) else {
            self.errors.push(format!("`--{name}` is not a known flag"));
            return None;
        };
        let value = if value.is_none() && takes_value(*flag) {
            let next = self.words.next();
            if next.is_none() {
                self.errors.push(format!("`--{name}` lacks its value"));
                return None;
            }
            next
        } else {
            value
        };
        Some((format!("--{name}"), *flag, value))
    }
}

fn takes_value(flag: Flag) -> bool {
    !matches!(
        flag,
        Flag::NoLocks
            | Flag::Transactional
            | Flag::NoViews
            | Flag::EscapeBackslash
            | Flag::CaseSensitive
            | Flag::IgnoredSwitch(_)
    )
}

fn apply(args: &mut ExtraArgs, name: &str, flag: Flag, value: Option<&str>) -> Result<(), String> {
    let text = value.unwrap_or("");
    let number = || text.parse::<u64>().map_err(|_| format!("`{name} {text}`: no whole number"));
    let size = |unit| bytes(text, unit).ok_or_else(|| format!("`{name} {text}`: no size"));
    let switch = || match text {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("`{name}={text}`: neither true nor false")),
    };
    match flag {
        Flag::Database => args.select.add_schemas(text),
        Flag::Filter => args.select.add_filter(text).map_err(|e| format!("{name}: {e}"))?,
        Flag::Regex => args.select.set_regex(text).map_err(|e| format!("{name}: {e}"))?,
        // Read when all flags are known.
        Flag::Tables => {}
        Flag::Threads => args.threads = Some(number()?),
        Flag::FileSize => args.chunk_bytes = Some(size(1 << 20)?),
        Flag::StatementSize => args.statement_bytes = Some(size(1)?),
        Flag::Rows => args.rows = Some(number()?),
        Flag::Where => args.where_clause = Some(text.to_owned()),
        Flag::Consistency => args.consistency = Some(consistency(name, text)?),
        Flag::NoLocks if switch()? => args.consistency = Some(Consistency::None),
        Flag::Snapshot => args.snapshot = Some(text.to_owned()),
        Flag::NoViews => args.views = Some(!switch()?),
        Flag::CaseSensitive if switch()? => args.select.set_case_sensitive(),
        Flag::Ca => args.ca = Some(text.to_owned()),
        Flag::Cert => args.cert = Some(text.to_owned()),
        Flag::Key => args.key = Some(text.to_owned()),
        Flag::NoLocks | Flag::CaseSensitive => {}
        Flag::Transactional | Flag::EscapeBackslash => {
            switch()?;
            args.ignored.push(format!("`{name}` has no effect: {ALWAYS}"));
        }
        Flag::IgnoredValue(why) | Flag::IgnoredSwitch(why) => {
            args.ignored.push(format!("`{name}` has no effect: {why}"));
        }
    }
    Ok(())
}

fn consistency(name: &str, text: &str) -> Result<Consistency, String> {
    match text {
        "auto" => Ok(Consistency::Auto),
        "flush" => Ok(Consistency::Flush),
        "snapshot" => Ok(Consistency::Snapshot),
        "lock" => Ok(Consistency::Lock),
        "none" => Ok(Consistency::None),
        _ => Err(format!("`{name} {text}`: not one of auto, flush, snapshot, lock, none")),
    }
}

/// Splits a text into words as a shell does: quotes and backslashes, no expansion.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\\' => match chars.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err("the text ends in a backslash".to_owned()),
            },
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("a `'` is not closed".to_owned()),
                    }
                }
            }
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match chars.next() {
            Some('"') => return Ok(()),
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => break,
            },
            Some(c) => word.push(c),
            None => break,
        }
    }
    Err("a `\"` is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_in_all_their_forms() {
        let args = parse(
            "-t8 -F 32MiB --statement-size=2000 -r=500 --where 'id > 3' --no-locks -W=false --ca x",
            false,
        );
        // Short switches take no value behind `=`; everything else was read.
        assert_eq!(args.unwrap_err(), ["`-=` is not a known flag"]);
        let args = parse(
            "-t8 -F 32MiB --statement-size=2000 -r=500 --where 'id > 3' --no-locks --no-views=false --ca x",
            false,
        )
        .unwrap();
        assert_eq!(args.threads, Some(8));
        assert_eq!(args.chunk_bytes, Some(32 << 20));
        assert_eq!((args.statement_bytes, args.rows), (Some(2000), Some(500)));
        assert_eq!(args.where_clause.as_deref(), Some("id > 3"));
        assert_eq!(args.consistency, Some(Consistency::None));
        assert_eq!(args.views, Some(true));
        assert_eq!(args.ca.as_deref(), Some("x"));
        assert!(args.select.is_empty() && args.ignored.is_empty());
    }

    #[test]
    fn tables_are_selected() {
        let args = parse("-T t,b.u -B a", false).unwrap();
        assert!(args.select.selects("a", "t") && !args.select.selects("a", "u"));
        let args = parse(r"--regex '^(?!(mysql|sys)\.)'", false).unwrap();
        assert!(args.select.selects("shop", "t") && !args.select.selects("sys", "t"));
        let args = parse("-f 'a.*' -f '!a.b'", false).unwrap();
        assert!(args.select.selects("a", "c") && !args.select.selects("a", "b"));
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let errors =
            parse("--bogus -q --threads x --consistency maybe word --rows", false).unwrap_err();
        assert_eq!(errors.len(), 6, "{errors:?}");
        assert!(parse("'open", false).is_err() && parse("\\", false).is_err());
    }

    #[test]
    fn flags_about_files_are_told() {
        let args = parse("-o /tmp/x --trx-consistency-only -v 3", false).unwrap();
        assert_eq!(args.ignored.len(), 3);
    }

    #[test]
    fn words_are_split_like_a_shell_does() {
        assert_eq!(split(r#"a 'b c' "d\" e"f \g ''"#).unwrap(), ["a", "b c", "d\" ef", "g", ""]);
    }
}
