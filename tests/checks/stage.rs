//! Servers, tasks and users for the prechecks, and what they answer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::items;
use crate::support::compare::Target;
use crate::support::dm::{Dm, Task};
use crate::support::server::{Address, Flavor, Server};

use serde_json::Value;

/// Both ends, empty but for `w.t`.
pub fn stage(flavor: Flavor) -> Option<(&'static Server, &'static Server)> {
    let (from, to) = (Server::shared(flavor, "src")?, Server::shared(flavor, "dst")?);
    from.clear();
    to.clear();
    from.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v INT); INSERT INTO w.t VALUES (1, 1)");
    Some((from, to))
}

/// A task between two servers, whose parts a test changes.
pub struct Case<'a> {
    pub mode: &'a str,
    pub gtid: bool,
    pub instance: &'a str,
    pub more: &'a str,
}

pub const ALL: Case<'_> = Case { mode: "all", gtid: false, instance: "", more: "" };

impl Case<'_> {
    pub fn set_up(&self, from: &Address, to: &Address) -> Dm {
        self.between(&[from], to)
    }

    pub fn between(&self, from: &[&Address], to: &Address) -> Dm {
        let mut task = Task::new(self.mode, from, Target::Server(to), &["w"]);
        (task.gtid, task.instance, task.more) = (self.gtid, self.instance, self.more);
        Dm::set_up(&task)
    }

    pub fn check(&self, from: &Address, to: &Address) -> Checked {
        check(&self.set_up(from, to), 1, self)
    }
}

/// What `dm check-task --json` answered.
pub struct Checked {
    pub json: Value,
    /// The mode of the task; `None` where checks were left out, whose silence shows nothing.
    mode: Option<String>,
}

impl Checked {
    pub fn new(json: Value, case: &Case<'_>) -> Self {
        let whole = !case.more.contains("ignore-checking-items");
        Self { json, mode: whole.then(|| case.mode.to_owned()) }
    }

    fn note(&self, name: &str, state: Option<&str>) {
        self.mode.iter().for_each(|mode| items::note(name, state, mode));
    }
}

pub fn check(dm: &Dm, sources: usize, case: &Case<'_>) -> Checked {
    let files: Vec<String> = (1..=sources).map(|n| format!("source-{n}.yaml")).collect();
    let mut args = vec!["check-task", "task.yaml", "--state-dir", "state", "--json"];
    for file in &files {
        args.extend(["-s", file]);
    }
    let outcome = dm.other(&args);
    let document: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|e| panic!("{e}:\n{}{}", outcome.stdout, outcome.stderr));
    assert_eq!(document["result"], outcome.status.success(), "{}", outcome.stdout);
    assert!(document["msg"].is_string());
    assert!(!dm.state().exists(), "a check leaves nothing behind");
    Checked::new(document, case)
}

impl Checked {
    pub fn of(&self, name: &str) -> Option<&Value> {
        let results = self.json["detail"]["results"].as_array().expect("results");
        results.iter().find(|r| r["name"] == name)
    }

    /// The check found something of this state, and says what and how to repair it.
    #[track_caller]
    pub fn finds(&self, name: &str, state: &str, texts: &[&str]) -> &Self {
        let found =
            self.of(name).unwrap_or_else(|| panic!("{name} found nothing in {:#}", self.json));
        assert_eq!(found["state"], state, "{found:#}");
        let said = found["errors"].to_string();
        for text in texts {
            assert!(said.contains(text), "{text:?} is not in {found:#}");
        }
        for error in found["errors"].as_array().unwrap() {
            assert!(!error["instruction"].as_str().unwrap().is_empty(), "no repair in {found:#}");
        }
        assert!(!said.to_uppercase().contains("RESET MASTER"), "advice that harms");
        assert_eq!(self.json["result"], self.json["detail"]["summary"]["failed"] == 0);
        self.note(name, Some(state));
        self
    }

    #[track_caller]
    pub fn silent(&self, name: &str) -> &Self {
        assert!(self.of(name).is_none(), "{:#}", self.of(name).unwrap());
        self.note(name, None);
        self
    }

    #[track_caller]
    pub fn passes(&self) -> &Self {
        assert_eq!(self.json["result"], true, "{:#}", self.json);
        self
    }
}

/// Makes a user with these rights only, and says how to log in.
pub fn user(server: &Server, name: &str, grants: &[&str]) -> Address {
    server
        .run("", &format!("DROP USER IF EXISTS {name}; CREATE USER {name} IDENTIFIED BY 's3cret'"));
    for grant in grants {
        server.run("", &format!("GRANT {grant} TO {name}"));
    }
    Address { user: name.to_owned(), password: "s3cret".to_owned(), ..server.address.clone() }
}

/// [`items::each`] with both ends of the family.
pub fn both<T: Fn(Flavor, &'static Server, &'static Server)>(test: T) {
    items::each_of(std::any::type_name::<T>(), |flavor| {
        let (from, to) = stage(flavor)?;
        test(flavor, from, to);
        Some(())
    });
}

/// A server that says nothing for so long has said what it was asked for.
const QUIET: std::time::Duration = std::time::Duration::from_millis(30);

/// Passes connections on and replaces bytes of what the server says by as many others.
pub fn rewriting(address: &Address, change: fn(&mut [u8])) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = address.port;
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else { return };
            let (mut a, mut b) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut a, &mut b));
            let (mut from, mut to) = (server, client);
            std::thread::spawn(move || {
                let mut block = vec![0; 1 << 20];
                while let Ok(mut count @ 1..) = from.read(&mut block) {
                    // What is replaced must not come in two parts: a long answer is read to its end.
                    let _ = from.set_read_timeout((count >= 4_096).then_some(QUIET));
                    while count >= 4_096 && count < block.len() {
                        let Ok(more @ 1..) = from.read(&mut block[count..]) else { break };
                        count += more;
                    }
                    let _ = from.set_read_timeout(None);
                    change(&mut block[..count]);
                    if to.write_all(&block[..count]).is_err() {
                        return;
                    }
                }
                let _ = to.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    Address { port, ..address.clone() }
}

pub fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    for at in 0..bytes.len().saturating_sub(old.len() - 1) {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
}
