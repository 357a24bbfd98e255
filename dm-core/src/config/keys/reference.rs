//! The manual's page on the configuration, rendered from the table of keys.

use std::fmt::Write as _;

use super::{Group, Key, Kind, OURS, SOURCE, Standing, TASK};
use crate::config::extra_args;

const HEAD: &str = "\
# Configuration

This page is rendered from the table in `dm-core/src/config/keys/`; to change it, change the table and run
`UPDATE_DOCS=1 cargo test -p dm-core docs_are_rendered`.

A *task file* says what to migrate, a *source file* where one source is. Both are DM's own files, from 5.3 to the newest
release, read as strictly as DM reads them: an unknown key, a key that stands twice, a value of the wrong type, a name
that is not defined or not used is an error. All of them are told at once, each with its line; `dm validate` needs no
server for that.

- Keys marked **ours** do not exist in DM.
- `yes`, `on`, `no`, `off` are booleans, as in all of YAML 1.1; an empty value (`key:`) is the same as no such key.
- Durations are written like `10s`, `1m30s`; sizes like `64`, `500m`, `1GiB`, in units of 1024.
- `${NAME}` in `host`, `user`, `password` and `password-file` is replaced by the environment variable of that name; one
  that is not set is an error. `$${` stands for `${` itself.
- A password is taken as plain text unless it is one that `dm encrypt` (or DM's `dmctl encrypt`) has made. With `enc:`
  before it, it has to be one. What decrypts to something that is no text is an error, and is never sent to a server.
- Relative paths are relative to the directory that the program runs in, as in DM, whichever file they stand in.
- An ordinary event filter, route or expression that cannot be used is an error before anything starts. (Newer releases
  of DM leave a wrong event filter out and start.)
";

const TAIL: &str = r#"
## Examples of our own keys

A copy of recorded files in an SQLite file, without any server. The source file names what was taken from one:

```yaml
# source.yaml
source-id: files
recorded:
  dump-dir: fixtures/shop/dump         # Dumpling's or mydumper's layout
  binlog-files: [fixtures/shop/bin.000001, fixtures/shop/bin.000002]
```

```yaml
# task.yaml
name: shop
task-mode: all
target-database:
  sqlite: shop.db
mysql-instances:
- source-id: files
```

A dry run: the same, and every statement is written to a file (`-` for standard output) instead of being run:

```yaml
# task.yaml
name: shop-dry
task-mode: all
target-database:
  script: shop.sql
mysql-instances:
- source-id: files
```

A server whose copy exists already as a dump directory: the copy is taken from there, and the binlog is followed from the
position in its `metadata`:

```yaml
# source.yaml
source-id: live
from:
  host: "${SHOP_HOST}"
  user: dm
  password-file: /run/secrets/shop
recorded:
  dump-dir: /backup/shop
```

A gentle task that stops when a row is missing at the target, and leaves two columns out:

```yaml
# task.yaml
name: gentle
task-mode: all
max-rows-per-second: 20000
max-bytes-per-second: 10MiB
max-memory: 48MiB
target-database:
  host: 127.0.0.1
  port: 4000
  user: root
mysql-instances:
- source-id: live
  route-rules: [customers]
  syncer: {missing-row: stop, commit-order: source}
routes:
  customers:
    schema-pattern: shop
    table-pattern: customer
    target-schema: shop
    columns: {exclude: [note, photo]}
```

Statements that the target does not take, decided by their text: one kind is left out, one is written in two, and the log
tells about tables that go:

```yaml
# task.yaml
name: ruled
task-mode: all
target-database:
  host: 127.0.0.1
  port: 4000
  user: root
mysql-instances:
- source-id: live
ddl-rules:
- match: 'CHANGE .* DECIMAL'
  action: skip
- match: '^ALTER TABLE (\S+) ADD COLUMN (\w+) INT UNIQUE$'
  action: replace
  sql: 'ALTER TABLE $1 ADD COLUMN $2 INT; ALTER TABLE $1 ADD UNIQUE ($2)'
- match: '^DROP TABLE'
  action: warn
```

## extra-args

The text is split like a shell does it, without expansion. Flags of Dumpling and of mydumper are understood; one that is
not known is an error. Flags go before keys, and `mydumper-thread` before `threads`. `-B`, `-T`, `-f` and `--regex` choose
the tables of the *copy* instead of the block-allow-list; what is followed afterwards is the block-allow-list's choice. A
look-ahead at the very start of `--regex` (`^(?!...)`) is understood, elsewhere it is not. These flags are honoured:

"#;

/// The page as Markdown.
pub fn reference() -> String {
    let mut out = HEAD.to_owned();
    for (group, title) in [(&TASK, "Task file"), (&SOURCE, "Source file")] {
        let _ = write!(out, "\n## {title}\n\n{}\n", group.intro);
        let mut seen: Vec<&str> = Vec::new();
        table(&mut out, group, &mut seen, true);
    }
    out.push_str(TAIL);
    for (long, short) in extra_args::honoured() {
        let short = short.map_or_else(String::new, |s| format!("`-{s}`, "));
        let _ = writeln!(out, "- {short}`--{long}`");
    }
    out
}

/// A group's keys, and then those of the groups inside it.
fn table(out: &mut String, group: &'static Group, seen: &mut Vec<&str>, top: bool) {
    if seen.contains(&group.title) {
        return;
    }
    seen.push(group.title);
    if !top {
        let _ = write!(out, "\n### {}\n", group.title);
        if !group.intro.is_empty() {
            let _ = write!(out, "\n{}\n", group.intro);
        }
    }
    out.push_str("\n| key | type | default | since | meaning |\n|---|---|---|---|---|\n");
    for key in group.keys {
        row(out, key);
    }
    for key in group.keys {
        if let Kind::One(inner) | Kind::List(inner) | Kind::Named(inner) = key.kind {
            table(out, inner, seen, false);
        }
    }
}

fn row(out: &mut String, key: &Key) {
    let kind = match key.kind {
        Kind::Text => "text",
        Kind::Bool => "boolean",
        Kind::Int | Kind::UInt => "number",
        Kind::Texts => "list of texts",
        Kind::TextMap => "texts by name",
        Kind::Bytes => "bytes",
        Kind::One(_) => "mapping",
        Kind::List(_) => "list",
        Kind::Named(_) => "by name",
        Kind::Any => "any",
    };
    let default = match key.default {
        "" => String::new(),
        text => format!("`{}`", text.replace('|', "\\|")),
    };
    let since = if key.since == OURS { "**ours**" } else { key.since };
    let standing = match key.standing {
        Standing::Used => String::new(),
        Standing::Ignored(why) => format!("No effect: {why}."),
        Standing::Deprecated(instead) => format!("Deprecated: {instead}."),
    };
    let meaning = [key.meaning, &standing].into_iter().filter(|s| !s.is_empty());
    let meaning = meaning.collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let _ = writeln!(out, "| `{}` | {kind} | {default} | {since} | {meaning} |", key.name);
}
