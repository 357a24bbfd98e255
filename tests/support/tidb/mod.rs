//! A server that speaks MySQL's protocol and answers like a TiDB of which no package exists here:
//! with the errors, delays and broken connections that a plain text tells it to.
//!
//! What it does by itself: it logs everybody in, says OK to statements and counts the rows of
//! INSERTs, keeps the structures of CREATE TABLE for SHOW CREATE TABLE, gives out named locks, and
//! keeps the tables of the meta schema ([`meta`]), transactionally. Rows of other tables are not
//! kept: [`Tidb::committed`] tells which statements were committed. Everything else, and whatever
//! goes wrong, is a rule ([`rules`]).

pub mod meta;
mod packets;
pub mod rules;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::meta::Meta;
use self::packets::{Command, Wire};
pub use self::rules::{Answer, Rules};
use super::server::{Address, Flavor};
use super::{sql, wait};

/// What it says it is, unless a rule of `@@version` says otherwise.
pub const VERSION: &str = "8.0.11-TiDB-v7.5.0";

/// A running stub; ends with its last connection when dropped.
#[derive(Debug)]
pub struct Tidb {
    /// Where it listens.
    pub address: Address,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    rules: Mutex<Rules>,
    state: Mutex<State>,
    next: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<String>,
    committed: Vec<String>,
    tables: BTreeMap<String, String>,
    meta: Meta,
    locks: BTreeMap<String, u32>,
    /// A statement with this text is followed by somebody else's taking over all marks.
    taken_over_at: Option<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tidb {
    /// Starts a stub that follows these rules.
    pub fn start(rules: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its port").port();
        let shared =
            Arc::new(Shared { rules: Mutex::new(Rules::parse(rules)), ..Shared::default() });
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&theirs);
                std::thread::spawn(move || {
                    let id = shared.next.fetch_add(1, Ordering::Relaxed) + 1;
                    // A connection that breaks is the other side's business.
                    let _ = Session::new(&shared, id).serve(stream);
                    lock(&shared.state).locks.retain(|_, owner| *owner != id);
                });
            }
        });
        let address = Address {
            host: "127.0.0.1".to_owned(),
            port,
            user: "root".to_owned(),
            password: String::new(),
            flavor: Flavor::Mysql,
        };
        Self { address, shared }
    }

    /// Starts a stub that follows the rules of a file of `tests/tidb`.
    pub fn with_file(file: &str) -> Self {
        let path = super::workspace().join("tests/tidb").join(file);
        let text = std::fs::read_to_string(&path);
        Self::start(&text.unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    }

    /// Follows other rules from now on.
    pub fn set_rules(&self, rules: &str) {
        *lock(&self.shared.rules) = Rules::parse(rules);
    }

    /// All statements that have come, in order.
    pub fn seen(&self) -> Vec<String> {
        lock(&self.shared.state).seen.clone()
    }

    /// The statements that were committed, in order, without those of the meta schema.
    pub fn committed(&self) -> Vec<String> {
        lock(&self.shared.state).committed.clone()
    }

    /// Behind the next statement with this text somebody else takes all marks over.
    pub fn take_over_before_commit_of(&self, text: &str) {
        lock(&self.shared.state).taken_over_at = Some(text.to_owned());
    }

    /// How many of the statements that have come contain a text.
    pub fn count(&self, text: &str) -> usize {
        lock(&self.shared.state).seen.iter().filter(|s| s.contains(text)).count()
    }
}

/// One connection.
struct Session<'s> {
    shared: &'s Shared,
    id: u32,
    /// Statements of the open transaction; `None` outside of one.
    open: Option<Vec<String>>,
    /// Statements begin transactions by themselves: `autocommit` is off.
    implicit: bool,
    prepared: BTreeMap<u32, String>,
}

/// The connection is to be closed without a word.
struct Closed;

impl From<std::io::Error> for Closed {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl<'s> Session<'s> {
    fn new(shared: &'s Shared, id: u32) -> Self {
        Self { shared, id, open: None, implicit: false, prepared: BTreeMap::new() }
    }

    fn serve(&mut self, stream: TcpStream) -> Result<(), Closed> {
        let mut wire = Wire::new(stream)?;
        wire.greet(self.id, VERSION)?;
        loop {
            match wire.command()? {
                Command::Quit => return Ok(()),
                Command::Ping | Command::Database => wire.ok(0, false)?,
                Command::Query(text) => self.script(&mut wire, &text)?,
                Command::Prepare(text) => {
                    let id = self.prepared.len() as u32 + 1;
                    wire.prepared(id, meta::count_marks(&text))?;
                    self.prepared.insert(id, text);
                }
                Command::Execute(id) => {
                    let text = self.prepared.get(&id).cloned().unwrap_or_default();
                    self.script(&mut wire, &text)?;
                }
                Command::Close => {}
                Command::Unknown(number) => {
                    wire.error(1047, "08S01", &format!("unknown command {number}"))?;
                }
            }
        }
    }

    /// Statements in one packet; the first that fails ends it.
    fn script(&mut self, wire: &mut Wire, text: &str) -> Result<(), Closed> {
        let statements = sql::split(text);
        let last = statements.len().saturating_sub(1);
        for (at, statement) in statements.iter().enumerate() {
            let more = at < last;
            match self.answer(statement.trim()) {
                Answer::Ok(rows) => wire.ok(rows, more)?,
                Answer::Rows(columns, rows) => wire.rows(&columns, &rows, more)?,
                Answer::Error { number, state, message } => {
                    // An error in a transaction leaves it open, except where the server undoes it.
                    if matches!(number, 1213 | 8002 | 8022 | 8028 | 9007) {
                        self.open = None;
                    }
                    return wire.error(number, &state, &message).map_err(Closed::from);
                }
                Answer::Drop => return Err(Closed),
            }
        }
        Ok(())
    }

    fn answer(&mut self, statement: &str) -> Answer {
        let mut state = lock(&self.shared.state);
        state.seen.push(statement.to_owned());
        if state.taken_over_at.as_ref().is_some_and(|text| statement.contains(text.as_str())) {
            state.taken_over_at = None;
            state.meta.write("UPDATE `m`.`dm_apply_mark` SET `connection`=0");
        }
        drop(state);
        let found = lock(&self.shared.rules).find(statement);
        if let Some(rule) = found {
            wait::pass(rule.delay);
            if rule.carried_out {
                let _ = self.carry_out(statement);
            }
            if let Some(answer) = rule.answer {
                return answer;
            }
        }
        self.carry_out(statement)
    }

    /// What a healthy server does.
    fn carry_out(&mut self, statement: &str) -> Answer {
        let word = statement.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "BEGIN" => self.open = Some(Vec::new()),
            "SET" if statement.ends_with("autocommit=0") => self.implicit = true,
            "ROLLBACK" => self.open = None,
            "COMMIT" => {
                let done = self.open.take().unwrap_or_default();
                let mut state = lock(&self.shared.state);
                if done.iter().any(|s| state.meta.count(s) == Some(0)) {
                    return Answer::error(9007, "HY000", "Write conflict");
                }
                state.commit(done);
            }
            "INSERT" | "REPLACE" | "UPDATE" | "DELETE" => {
                let rows = match word.as_str() {
                    "INSERT" | "REPLACE" => meta::tuples(statement),
                    _ => lock(&self.shared.state).meta.count(statement).unwrap_or(1),
                };
                if self.implicit {
                    self.open.get_or_insert_default();
                }
                match &mut self.open {
                    Some(open) => open.push(statement.to_owned()),
                    None => lock(&self.shared.state).commit(vec![statement.to_owned()]),
                }
                return Answer::Ok(rows);
            }
            "CREATE" | "ALTER" | "DROP" | "RENAME" | "TRUNCATE" => {
                lock(&self.shared.state).structure(statement);
            }
            "SELECT" | "SHOW" => return self.question(statement),
            _ => {}
        }
        Answer::Ok(0)
    }

    fn question(&mut self, statement: &str) -> Answer {
        let mut state = lock(&self.shared.state);
        let one = |value: &str| Answer::one(value);
        if statement.contains("@@version") {
            let columns = vec!["@@version".to_owned(), "@@version_comment".to_owned()];
            let row = vec![Some(VERSION.to_owned()), Some("TiDB Server (stub)".to_owned())];
            return Answer::Rows(columns, vec![row]);
        }
        if statement.to_ascii_uppercase().contains("CONNECTION_ID()") {
            return one(&self.id.to_string());
        }
        if let Some(name) = statement.strip_prefix("SHOW CREATE TABLE ") {
            return match state.tables.get(name.trim()) {
                Some(text) => Answer::Rows(
                    vec!["Table".to_owned(), "Create Table".to_owned()],
                    vec![vec![Some(name.to_owned()), Some(text.clone())]],
                ),
                None => Answer::error(1146, "42S02", &format!("Table {name} doesn't exist")),
            };
        }
        if let Some(name) = meta::between(statement, "GET_LOCK(", ",") {
            let owner = *state.locks.entry(name).or_insert(self.id);
            return one(if owner == self.id { "1" } else { "0" });
        }
        if let Some(name) = meta::between(statement, "RELEASE_LOCK(", ")") {
            state.locks.remove(&name);
            return one("1");
        }
        if let Some(name) = meta::between(statement, "IS_USED_LOCK(", ")") {
            return match state.locks.get(&name) {
                Some(owner) => one(&owner.to_string()),
                None => Answer::Rows(vec!["v".to_owned()], vec![vec![None]]),
            };
        }
        state.meta.select(statement)
    }
}

impl State {
    fn commit(&mut self, statements: Vec<String>) {
        for statement in statements {
            if !self.meta.write(&statement) {
                self.committed.push(statement);
            }
        }
    }

    fn structure(&mut self, statement: &str) {
        self.committed.push(statement.to_owned());
        let upper = statement.to_ascii_uppercase();
        let rest = upper.strip_prefix("CREATE TABLE ").map(|_| &statement["CREATE TABLE ".len()..]);
        let Some(rest) = rest else { return };
        let rest = match rest.to_ascii_uppercase().starts_with("IF NOT EXISTS ") {
            true => &rest["IF NOT EXISTS ".len()..],
            false => rest,
        };
        let Some(at) = rest.find('(') else { return };
        let name = rest[..at].trim().to_owned();
        let own = name.rsplit('.').next().unwrap_or_default();
        self.tables
            .entry(name.clone())
            .or_insert_with(|| format!("CREATE TABLE {own} {}", &rest[at..]));
    }
}
