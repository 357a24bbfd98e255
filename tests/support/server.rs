//! Real servers, started by `tests/servers.sh` under a directory of this process.
//!
//! A server lives as long as the test process: a guard process holds the other end of a pipe and
//! wipes every server of the directory when the pipe closes, also after a crash or a kill of the
//! tests. [`Server::shared`] starts a server once per process and role; tests keep apart by
//! databases of their own, or take turns with [`super::serial`].

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use mysql::prelude::{FromRow, Queryable};
use mysql::{Conn, OptsBuilder};

use super::{skip, sql, wait, workspace};

/// The account of the tests in every server.
pub const USER: &str = "mig";
/// Its password.
pub const PASSWORD: &str = "mig";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL 9.7.
    Mysql,
    /// MariaDB 10.11.
    Mariadb,
    /// MariaDB 11.8.
    MariadbNew,
}

impl Flavor {
    /// The word that `servers.sh` and the case files use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::MariadbNew => "mariadb-new",
        }
    }

    /// The flavor of a word of [`Flavor::word`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Mysql, Self::Mariadb, Self::MariadbNew].into_iter().find(|f| f.word() == word)
    }

    /// True for MySQL, false for both MariaDBs.
    pub fn is_mysql(self) -> bool {
        self == Self::Mysql
    }
}

/// Where a source's binlog ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub file: String,
    /// The offset in it.
    pub pos: u64,
    /// MySQL's executed set, or MariaDB's `gtid_binlog_pos`; on one line.
    pub gtid: String,
}

/// The address of a server and how to log in; also of one that this process did not start.
#[derive(Clone, Debug)]
pub struct Address {
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Account.
    pub user: String,
    /// Password.
    pub password: String,
    /// Which dialect it speaks; TiDB counts as MySQL.
    pub flavor: Flavor,
}

impl Address {
    /// A connection in UTC, utf8mb4 and without zero-date or strictness surprises on reading.
    pub fn conn(&self) -> Conn {
        self.try_conn().unwrap_or_else(|e| panic!("{}:{}: {e}", self.host, self.port))
    }

    /// As [`Address::conn`], for a server that may be down.
    pub fn try_conn(&self) -> mysql::Result<Conn> {
        let opts = OptsBuilder::new()
            .ip_or_hostname(Some(&self.host))
            .tcp_port(self.port)
            .user(Some(&self.user))
            .pass(Some(&self.password))
            .prefer_socket(false)
            .tcp_connect_timeout(Some(Duration::from_secs(10)))
            .init(vec!["SET NAMES utf8mb4", "SET SESSION time_zone = '+00:00'"]);
        Conn::new(opts)
    }

    /// Runs a script in database `db` (or in none when it is empty).
    pub fn run(&self, db: &str, script: &str) {
        let mut conn = self.conn();
        if !db.is_empty() {
            sql::run(&mut conn, &format!("USE {}", sql::name(db)));
        }
        sql::run(&mut conn, script);
    }

    /// The rows of a query.
    pub fn rows<T: FromRow>(&self, query: &str) -> Vec<T> {
        self.conn().query(query).unwrap_or_else(|e| panic!("{e}\nin: {query}"))
    }

    /// The one value of a query.
    pub fn value<T: mysql::prelude::FromValue>(&self, query: &str) -> T {
        let row = self.conn().query_first(query).unwrap_or_else(|e| panic!("{e}\nin: {query}"));
        row.unwrap_or_else(|| panic!("no row: {query}"))
    }

    /// The databases that are not the server's own.
    pub fn databases(&self) -> Vec<String> {
        self.rows(
            "SELECT schema_name FROM information_schema.schemata WHERE LOWER(schema_name) NOT IN \
             ('mysql', 'sys', 'information_schema', 'performance_schema', 'metrics_schema', \
             'inspection_schema', 'lightning_task_info', 'test', 'dm_test_owned') ORDER BY 1",
        )
    }

    /// Drops a database, whatever refers to it.
    pub fn drop_database(&self, db: &str) {
        let drop = format!("DROP DATABASE IF EXISTS {}", sql::name(db));
        sql::run(&mut self.conn(), &format!("SET foreign_key_checks = 0; {drop}"));
    }

    /// Where the binlog ends now.
    pub fn position(&self) -> Position {
        let query =
            if self.flavor.is_mysql() { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
        let row: mysql::Row = self.conn().query_first(query).unwrap().expect("binlog is on");
        let gtid: String = if self.flavor.is_mysql() {
            row.get("Executed_Gtid_Set").unwrap_or_default()
        } else {
            self.value("SELECT @@gtid_binlog_pos")
        };
        Position {
            file: row.get("File").unwrap(),
            pos: row.get("Position").unwrap(),
            gtid: gtid.replace('\n', ""),
        }
    }
}

/// A running server of this process.
#[derive(Debug)]
pub struct Server {
    /// Its name under the data directory.
    pub name: String,
    /// How to reach it.
    pub address: Address,
    /// True for a target that this process did not start and cannot stop.
    pub external: bool,
    options: Vec<String>,
}

impl std::ops::Deref for Server {
    type Target = Address;

    fn deref(&self) -> &Address {
        &self.address
    }
}

impl Server {
    /// Starts a server with options of its own; `None` (and SKIPPED) when servers are not
    /// installed. The name must be unique in the process.
    pub fn start(name: &str, flavor: Flavor, options: &[&str]) -> Option<Self> {
        if let Err(why) = available(flavor) {
            skip(&format!("server {}", flavor.word()), &why);
            return None;
        }
        for attempt in 1.. {
            let server = Self {
                name: name.to_owned(),
                address: Address {
                    host: "127.0.0.1".to_owned(),
                    port: free_port(),
                    user: USER.to_owned(),
                    password: PASSWORD.to_owned(),
                    flavor,
                },
                external: false,
                options: options.iter().map(|&o| o.to_owned()).collect(),
            };
            // Somebody else may have taken the port in between.
            match server.launch() {
                Ok(()) => return Some(server),
                Err(why) => assert!(attempt < 3, "{name} did not start: {why}"),
            }
            let _ = script(&["wipe", name]);
        }
        None
    }

    /// The server of a role, started at its first use; everyone in the process gets the same.
    pub fn shared(flavor: Flavor, role: &str) -> Option<&'static Self> {
        // So that every test copies by LOAD DATA, as to a MariaDB; `e2e_copy` turns it off, too.
        let options: &[&str] = match (role, flavor) {
            ("dst", Flavor::Mysql) => &["--local-infile=ON"],
            _ => &[],
        };
        Self::shared_with(flavor, role, options)
    }

    /// As [`Server::shared`] with server options; a role has always the same options. `TZ=ABC-9` among them is the
    /// time zone of its machine.
    pub fn shared_with(flavor: Flavor, role: &str, options: &[&str]) -> Option<&'static Self> {
        static ALL: OnceLock<Mutex<HashMap<String, &'static Server>>> = OnceLock::new();
        let name = format!("{role}-{}", flavor.word());
        let mut all =
            ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&server) = all.get(&name) {
            assert_eq!(server.options, options, "role {name} asked for with other options");
            return Some(server);
        }
        let server: &'static Self = Box::leak(Box::new(Self::start(&name, flavor, options)?));
        all.insert(name, server);
        Some(server)
    }

    /// A source and the target of the tests, both empty; `None` when servers are not installed.
    pub fn pair(flavor: Flavor) -> Option<(&'static Self, &'static Self)> {
        Self::pair_of(flavor, flavor)
    }

    /// The same of two flavors.
    pub fn pair_of(source: Flavor, target: Flavor) -> Option<(&'static Self, &'static Self)> {
        let (from, to) = (Self::shared(source, "src")?, Self::target(target)?);
        from.clear();
        to.clear();
        Some((from, to))
    }

    /// The target of the tests: a server of this flavor, or the one that `DM_TEST_TARGET` names.
    ///
    /// An external target must be empty at first. A database `dm_test_owned` then says that these
    /// tests may drop what they find there.
    pub fn target(flavor: Flavor) -> Option<&'static Self> {
        static EXTERNAL: OnceLock<Option<Server>> = OnceLock::new();
        let external = EXTERNAL.get_or_init(|| {
            let address = external_target()?;
            let owned = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'dm_test_owned'";
            if address.value::<u64>(owned) == 0 {
                let found = address.databases();
                assert!(found.is_empty(), "DM_TEST_TARGET is not empty: it has {found:?}");
                address.run("", "CREATE DATABASE dm_test_owned");
            }
            let name = "external".to_owned();
            Some(Self { name, address, external: true, options: Vec::new() })
        });
        external.as_ref().map_or_else(|| Self::shared(flavor, "dst"), Some)
    }

    /// True for a TiDB.
    pub fn is_tidb(&self) -> bool {
        self.value::<String>("SELECT VERSION()").contains("TiDB")
    }

    fn launch(&self) -> Result<(), String> {
        assert!(!self.external, "an external server is not ours to start");
        let port = self.port.to_string();
        let mut args = vec!["start", &self.name, self.flavor.word(), &port];
        let (zones, options): (Vec<&str>, Vec<&str>) =
            self.options.iter().map(String::as_str).partition(|o| o.starts_with("TZ="));
        args.extend(options);
        let zone = zones.first().and_then(|zone| zone.strip_prefix("TZ="));
        script_in(&args, zone)
    }

    /// A clean stop; [`Server::restart`] starts it again on the same port.
    pub fn stop(&self) {
        script(&["stop", &self.name]).expect("stop");
    }

    /// SIGKILL: a crash.
    pub fn kill(&self) {
        script(&["kill", &self.name]).expect("kill");
    }

    /// Starts a stopped or killed server again with its data, port and options. Somebody's connection may
    /// have its port for a moment.
    pub fn restart(&self) {
        let mut why = String::new();
        let started = wait::poll(Duration::from_secs(60), || {
            self.launch().inspect_err(|e| why.clone_from(e)).ok()
        });
        assert!(started.is_some(), "{} does not start again: {why}", self.name);
    }

    /// Stops the server's threads where they are: it neither answers nor closes connections.
    pub fn freeze(&self) {
        script(&["freeze", &self.name]).expect("freeze");
    }

    /// Ends [`Server::freeze`].
    pub fn thaw(&self) {
        script(&["thaw", &self.name]).expect("thaw");
    }

    /// Kills the server and removes its data.
    pub fn wipe(&self) {
        script(&["wipe", &self.name]).expect("wipe");
    }

    /// Drops every database that is not the server's own.
    pub fn clear(&self) {
        for db in self.databases() {
            self.drop_database(&db);
        }
    }

    /// Sets global variables, each `name = value`, and puts the old values back on drop.
    pub fn with_globals(&self, settings: &[(&str, &str)]) -> Globals<'_> {
        let mut old = Vec::new();
        for (name, value) in settings {
            let before: String = self.value(&format!("SELECT CONCAT('', @@GLOBAL.{name})"));
            self.run("", &format!("SET GLOBAL {name} = {value}"));
            old.push(((*name).to_owned(), before));
        }
        Globals { server: self, old }
    }

    /// Copies the binlog files into a directory, to find out later what happened.
    pub fn save_binlogs(&self, to: &std::path::Path) {
        let data = data_dir().join(&self.name).join("data");
        let Ok(files) = std::fs::read_dir(data) else { return };
        for file in files.flatten() {
            let name = file.file_name();
            if name.to_string_lossy().starts_with("binlog.0") {
                let _ = std::fs::create_dir_all(to);
                let _ = std::fs::copy(file.path(), to.join(name));
            }
        }
    }

    /// Deletes the binlog's history.
    pub fn reset_binlog(&self) {
        let mysql = "RESET BINARY LOGS AND GTIDS";
        self.run("", if self.flavor.is_mysql() { mysql } else { "RESET MASTER" });
    }
}

/// Global variables that go back to their old values when this is dropped.
#[derive(Debug)]
pub struct Globals<'a> {
    server: &'a Server,
    old: Vec<(String, String)>,
}

impl Drop for Globals<'_> {
    fn drop(&mut self) {
        for (name, value) in &self.old {
            let literal =
                if value.parse::<i64>().is_ok() { value.clone() } else { sql::text(value) };
            self.server.run("", &format!("SET GLOBAL {name} = {literal}"));
        }
    }
}

/// The target in the place of our own: `DM_TEST_TARGET=mysql://user:password@host:port`.
pub fn external_target() -> Option<Address> {
    let url = std::env::var("DM_TEST_TARGET").ok().filter(|u| !u.is_empty())?;
    Some(
        parse_url(&url)
            .unwrap_or_else(|| panic!("DM_TEST_TARGET is not mysql://user:password@host:port")),
    )
}

/// The parts of `mysql://user:password@host:port`; the password may be empty or absent.
pub fn parse_url(url: &str) -> Option<Address> {
    let (login, place) = url.strip_prefix("mysql://")?.rsplit_once('@')?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (host, port) = place.trim_end_matches('/').rsplit_once(':')?;
    Some(Address {
        host: host.to_owned(),
        port: port.parse().ok()?,
        user: user.to_owned(),
        password: password.to_owned(),
        flavor: Flavor::Mysql,
    })
}

/// Why servers of this flavor cannot be started, if they cannot.
pub fn available(flavor: Flavor) -> Result<(), String> {
    let done = cache_dir().join("root").join(flavor.word()).join(".done");
    if done.exists() {
        return Ok(());
    }
    Err("not installed; run tests/servers.sh install (tests/run does it)".to_owned())
}

fn cache_dir() -> PathBuf {
    if let Ok(dir) = std::env::var("SERVERS_CACHE") {
        return PathBuf::from(dir);
    }
    let home = || PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cache");
    std::env::var("XDG_CACHE_HOME").map_or_else(|_| home(), PathBuf::from).join("dm-servers")
}

/// A program of the `tools` set of `servers.sh`, when it is there.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = cache_dir().join("bin/tools").join(name);
    path.exists().then_some(path)
}

/// A program that comes with a server, when it is there.
pub fn tool_of(flavor: Flavor, name: &str) -> Option<PathBuf> {
    let path = cache_dir().join("bin").join(flavor.word()).join(name);
    path.exists().then_some(path)
}

/// The data directory of this process's servers; short, because socket paths are.
fn data_dir() -> PathBuf {
    let base = std::env::var("SERVERS_DATA").map_or_else(|_| std::env::temp_dir(), PathBuf::from);
    base.join(format!("dmt{}", std::process::id()))
}

fn script(args: &[&str]) -> Result<(), String> {
    script_in(args, None)
}

/// As [`script`], in a time zone of its own.
fn script_in(args: &[&str], zone: Option<&str>) -> Result<(), String> {
    static GUARD: OnceLock<Mutex<Child>> = OnceLock::new();
    // Dropped with the process, which closes its stdin and ends the servers.
    GUARD.get_or_init(|| {
        let child = command(&["guard"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Mutex::new(child.expect("guard"))
    });
    let mut command = command(args);
    if let Some(zone) = zone {
        command.env("TZ", zone);
    }
    let output = command.stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command.arg(workspace().join("tests/servers.sh")).args(args).env("SERVERS_DATA", data_dir());
    command
}

/// A port that nothing listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

/// Waits until a server answers.
pub fn wait_for(address: &Address) {
    wait::until("the server answers", Duration::from_secs(60), || address.try_conn().is_ok());
}
