//! The pages of `docs/runbook`, run as they stand: every block of shell commands in its order, against
//! real servers. What has to happen between the commands stands in comments of the page:
//!
//! | `<!-- test: ... -->` | what happens |
//! |---|---|
//! | `source SQL`, `target SQL` | statements run there |
//! | `wait STAGE` | until the task is in the stage |
//! | `rows TABLE N` | until the target's table has so many rows |
//! | `joined` | until no table is being added any more |
//! | `says TEXT` | the next block prints it |
//! | `both` | the next block of SQL gives the same on both sides |
//! | `equal` | both sides are equal |
//! | `kill` | the task's process is killed |
//! | `move` | the source has another address now |

use std::path::PathBuf;
use std::process::Command;

use crate::place::{PATIENCE, Place};
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::dm::{Process, Task, source_yaml};
use crate::support::server::{Address, Flavor, Server};
use crate::support::{serial, wait, workspace};

const DB: &str = "shop";

/// A piece of a page.
#[derive(Debug, PartialEq)]
enum Piece {
    /// What a comment says.
    Test(String),
    /// A block, by its language.
    Block(String, String),
}

/// The pieces of a page, in order.
fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut block: Option<(String, String)> = None;
    for line in text.lines() {
        let line = line.trim();
        match (block.take(), line.strip_prefix("```")) {
            (Some((language, code)), Some(_)) => found.push(Piece::Block(language, code)),
            (Some((language, code)), None) => block = Some((language, format!("{code}{line}\n"))),
            (None, Some(language)) => block = Some((language.to_owned(), String::new())),
            (None, None) => {
                let comment = line.strip_prefix("<!-- test: ");
                let comment = comment.and_then(|rest| rest.strip_suffix(" -->"));
                found.extend(comment.map(|text| Piece::Test(text.to_owned())));
            }
        }
    }
    found
}

fn pages() -> Vec<PathBuf> {
    let dir = std::fs::read_dir(workspace().join("docs/runbook")).unwrap();
    let mut pages: Vec<PathBuf> = dir.map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages
}

/// A reader of a page, in front of a running task.
struct Reader {
    from: &'static Server,
    to: &'static Server,
    place: Place,
}

impl Reader {
    fn new(from: &'static Server, to: &'static Server) -> Self {
        from.clear();
        to.clear();
        from.run("", &format!("CREATE DATABASE {DB}"));
        from.run(
            DB,
            "CREATE TABLE orders (id INT PRIMARY KEY, v VARCHAR(20)); \
             INSERT INTO orders VALUES (1, 'one'), (2, 'two')",
        );
        let sources = [&from.address];
        let mut task = Task::new("all", &sources, Target::Server(&to.address), &[DB]);
        task.name = DB;
        let place = Place::of(&task);
        place.dm.write("task.yaml", &task.yaml().replace("source-1", "shop-1"));
        let reader = Self { from, to, place };
        reader.write_source(&from.address);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_dm"), reader.place.path().join("dm"))
            .unwrap();
        reader.sh("dm operate-source create source.yaml && dm start-task task.yaml");
        reader.wait("Running");
        reader
    }

    fn write_source(&self, address: &Address) {
        let text = source_yaml(1, address, false).replace("source-1", "shop-1");
        self.place.dm.write("source.yaml", &text);
    }

    /// What a block prints; it must succeed.
    #[track_caller]
    fn sh(&self, code: &str) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-eu", "-c", code])
            .current_dir(self.place.path())
            .env("PATH", format!("{}:{path}", self.place.path().display()))
            .env("DM_STATE_DIR", self.place.dm.state());
        let outcome = Process::spawn(command).wait(PATIENCE);
        assert!(outcome.status.success(), "{code}{}{}", outcome.stdout, outcome.stderr);
        format!("{}{}", outcome.stdout, outcome.stderr)
    }

    fn part(&self) -> serde_json::Value {
        let json = self.place.json(&["query-status", DB]);
        json["sources"][0]["subTaskStatus"][0].clone()
    }

    fn wait(&self, stage: &str) {
        wait::until(&format!("the task is {stage}: {:#}", self.part()), PATIENCE, || {
            let part = self.part();
            part["stage"] == stage && (stage != "Running" || part["unit"] == "Sync")
        });
    }

    fn test(&self, text: &str) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "source" => self.from.run("", rest),
            "target" => self.to.run("", rest),
            "wait" => self.wait(rest),
            "rows" => {
                let (table, count) = rest.split_once(' ').unwrap();
                let asked = format!("SELECT CONCAT('', COUNT(*)) FROM {DB}.{table}");
                wait::until(text, PATIENCE, || {
                    use mysql::prelude::Queryable as _;
                    let have: mysql::Result<Option<String>> = self.to.conn().query_first(&asked);
                    matches!(have, Ok(Some(have)) if have == count)
                });
            }
            "joined" => wait::until("no table is being added", PATIENCE, || {
                self.part()["adding"].as_array().is_some_and(Vec::is_empty)
            }),
            "equal" => assert_databases_equal(self.from, Target::Server(self.to), &[DB]),
            "kill" => self.place.kill_owner(DB),
            "move" => {
                self.write_source(&Address {
                    host: "localhost".into(),
                    ..self.from.address.clone()
                });
            }
            _ => panic!("no page may say {text:?}"),
        }
    }

    fn read(&self, page: &[Piece]) {
        let mut says: Option<&str> = None;
        for piece in page {
            match piece {
                Piece::Test(text) => match text.split_once(' ') {
                    Some(("says", word)) => says = Some(word),
                    _ if text == "both" => {}
                    _ => self.test(text),
                },
                Piece::Block(language, code) if language == "sh" => {
                    let said = self.sh(code);
                    if let Some(word) = says.take() {
                        assert!(said.contains(word), "{code} does not say {word}: {said}");
                    }
                }
                Piece::Block(language, code) if language == "sql" => {
                    let rows = |server: &Server| {
                        let rows = server.rows::<mysql::Row>(code.trim().trim_end_matches(';'));
                        rows.into_iter().map(mysql::Row::unwrap).collect::<Vec<_>>()
                    };
                    assert_eq!(rows(self.from), rows(self.to), "{code}");
                }
                Piece::Block(language, code) if language == "ini" => self.unit(code),
                Piece::Block(language, _) => panic!("nobody runs a block of {language:?}"),
            }
        }
    }

    /// The command of a systemd unit, with the test's files, until SIGTERM.
    fn unit(&self, text: &str) {
        let line = text.lines().find_map(|l| l.strip_prefix("ExecStart=")).unwrap();
        self.sh("dm stop-task shop");
        let here = self.place.path().display().to_string();
        let state = self.place.dm.state().display().to_string();
        let line = line
            .replace("/usr/local/bin/dm", env!("CARGO_BIN_EXE_dm"))
            .replace("/etc/dm", &here)
            .replace("/var/lib/dm", &state);
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).current_dir(self.place.path());
        let process = Process::spawn(command);
        self.wait("Running");
        process.signal("TERM");
        process.wait(PATIENCE).expect_success();
    }
}

#[test]
fn the_runbook_is_run_as_it_stands() {
    let _one = serial();
    let (Some(from), Some(to)) =
        (Server::shared(Flavor::Mysql, "src"), Server::target(Flavor::Mysql))
    else {
        return;
    };
    let mut run = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let pieces = pieces(&text);
        let blocks = pieces.iter().filter(|p| matches!(p, Piece::Block(..))).count();
        run += blocks;
        if blocks == 0 {
            continue;
        }
        println!("{}", page.display());
        let reader = Reader::new(from, to);
        reader.read(&pieces);
        if reader.place.owner(DB).is_some() {
            reader.sh("dm stop-task shop");
        }
    }
    assert!(run >= 20, "{run} blocks");
}

/// The index names every page.
#[test]
fn the_index_names_every_page() {
    let index = std::fs::read_to_string(workspace().join("docs/runbook/README.md")).unwrap();
    for page in pages() {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name == "README.md" || index.contains(&format!("({name})")), "{name}");
    }
}
