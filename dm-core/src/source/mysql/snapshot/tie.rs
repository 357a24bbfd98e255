//! How position and view are tied together, in the order in which `auto` tries the means:
//! 1. FLUSH TABLES WITH READ LOCK: nothing commits while connections and position are taken.
//!    The lock is asked for with a short timeout, because everybody waits behind it.
//! 2. MariaDB tells the position of each consistent snapshot by itself.
//! 3. LOCK TABLES ... READ on the tables to copy waits for their committers.
//! 4. `performance_schema.log_status`: waits for commits, so what it names is visible.
//! 5. `gtid_executed`: grows only when a transaction is visible. It has no file and offset.
//! 6. The end of the binlog, and then waiting longer than any commit may hang in between.
//!
//! 4 to 6 are taken before the connections, so rows may hold more than the position says; the end
//! of the binlog is asked afterwards for `contained_upto`, with what is visible and does not count
//! as executed yet.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::{describe, position};
use super::{Opening, ROUNDS, Tied};
use crate::config::Consistency;
use crate::error::{Error, Result, codes};
use crate::mysql::{cell, is_access_denied, is_lock_timeout, numbers};
use crate::position::{GtidSet, Position};
use crate::sql::quote_table;

/// How often a lock is asked for, and how long each time.
const LOCK_ATTEMPTS: u32 = 3;
const LOCK_SECONDS: u32 = 5;
/// Up to this many structures are read while the global lock is held; more would hold it too long.
const STRUCTURES_UNDER_LOCK: usize = 2_000;

impl Opening<'_> {
    pub(super) fn tie(&mut self) -> Result<Tied> {
        match self.options.consistency {
            Consistency::Auto => self.tie_by_the_best(),
            Consistency::Flush => self.by_flush(),
            Consistency::Lock => self.by_table_locks(),
            // Neither takes a lock that the application notices.
            Consistency::Snapshot | Consistency::None => match self.by_own_snapshot()? {
                Some(tied) => Ok(tied),
                None => self.without_locks(),
            },
        }
    }

    fn tie_by_the_best(&mut self) -> Result<Tied> {
        match self.by_flush() {
            Err(e) if may_fall_back(&e) => {
                log::warn!("{}: no global read lock: {}", self.plan.address(), e.message());
            }
            done => return done,
        }
        if let Some(tied) = self.by_own_snapshot()? {
            return Ok(tied);
        }
        match self.by_table_locks() {
            Err(e) if may_fall_back(&e) => {
                log::warn!("{}: no table locks: {}", self.plan.address(), e.message());
            }
            done => return done,
        }
        self.without_locks()
    }

    /// Connections and position while nobody can commit.
    fn by_flush(&mut self) -> Result<Tied> {
        self.lock("FLUSH TABLES WITH READ LOCK")?;
        let done = self.under_flush();
        self.control.run("UNLOCK TABLES")?;
        let position = done?;
        Ok(Tied { upto: Some(position.clone()), position, means: "flush tables with read lock" })
    }

    fn under_flush(&mut self) -> Result<Position> {
        self.start_all()?;
        let position = self.end()?;
        if self.before.len() <= STRUCTURES_UNDER_LOCK {
            let names = describe::tables(&mut self.control, self.choose)?;
            self.exact = Some(describe::all(&mut self.control, self.plan, &names)?);
        }
        Ok(position)
    }

    /// Connections and position while nobody can write to the chosen tables.
    fn by_table_locks(&mut self) -> Result<Tied> {
        let list: Vec<String> =
            self.before.iter().map(|t| format!("{} READ", quote_table(&t.name))).collect();
        if !list.is_empty() {
            self.lock(&format!("LOCK TABLES {}", list.join(", ")))?;
        }
        let done = match self.start_all() {
            Ok(()) => self.end(),
            Err(e) => Err(e),
        };
        self.control.run("UNLOCK TABLES")?;
        let position = done?;
        Ok(Tied { upto: Some(position.clone()), position, means: "lock tables read" })
    }

    fn lock(&mut self, statement: &str) -> Result {
        self.control.try_set("lock_wait_timeout", &LOCK_SECONDS.to_string())?;
        let mut attempt = 1;
        loop {
            self.check_stop()?;
            match self.control.run(statement) {
                Err(e) if is_lock_timeout(&e) && attempt < LOCK_ATTEMPTS => attempt += 1,
                Err(e) => return Err(not_locked(&e, statement, attempt)),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// MariaDB: every snapshot knows its own position.
    fn by_own_snapshot(&mut self) -> Result<Option<Tied>> {
        if !self.control.version().is_mariadb() {
            return Ok(None);
        }
        let mut seen: Vec<Position> = Vec::new();
        for _ in 0..ROUNDS {
            self.check_stop()?;
            self.start_all()?;
            seen.clear();
            for i in 0..self.readers.len() {
                match self.snapshot_position(i)? {
                    Some(position) => seen.push(position),
                    None => return Ok(None),
                }
            }
            if seen.windows(2).all(|pair| pair.first() == pair.last()) {
                break;
            }
        }
        let order =
            |a: &Position, b: &Position| a.compare_binlog(b).unwrap_or(std::cmp::Ordering::Equal);
        let first = seen.iter().min_by(|a, b| order(a, b)).cloned();
        let last = seen.iter().max_by(|a, b| order(a, b)).cloned();
        Ok(first.map(|position| Tied { position, upto: last, means: "binlog_snapshot_position" }))
    }

    fn snapshot_position(&mut self, reader: usize) -> Result<Option<Position>> {
        let Some(conn) = self.readers.get_mut(reader) else { return Ok(None) };
        let rows = conn.rows("SHOW STATUS LIKE 'binlog\\_snapshot\\_%'")?;
        let value = |name: &str| {
            let row = rows.iter().find(|row| cell(row, 0).eq_ignore_ascii_case(name))?;
            Some(cell(row, 1)).filter(|v| !v.is_empty())
        };
        let (Some(file), Some(offset)) =
            (value("binlog_snapshot_file"), value("binlog_snapshot_position"))
        else {
            return Ok(None);
        };
        let pos = position::binlog_pos(&file, &offset)?;
        position::at(&mut self.control, pos, "").map(Some)
    }

    /// A position that is visible, then the connections.
    fn without_locks(&mut self) -> Result<Tied> {
        let mut tied = None;
        for _ in 0..ROUNDS {
            self.check_stop()?;
            let Some(first) = position::log_status(&mut self.control)? else { break };
            self.start_all()?;
            let last = match position::log_status(&mut self.control)? {
                Some(last) => last,
                None => self.upto()?,
            };
            // Both wait for commits, so equal ends mean that nothing came between: then rows without
            // a key can be followed, too.
            let exact = first == last;
            let means = "performance_schema.log_status";
            tied = Some(Tied { position: first, upto: Some(last), means });
            if exact {
                break;
            }
        }
        if let Some(tied) = tied {
            return Ok(tied);
        }
        let gtids = self.options.use_gtid
            && !self.control.version().is_mariadb()
            && position::gtids_on(&mut self.control)?;
        if !gtids {
            return self.by_waiting();
        }
        let executed: GtidSet = position::executed(&mut self.control)?;
        self.start_all()?;
        let upto = Some(self.upto()?);
        Ok(Tied { position: Position::of_gtid(executed), upto, means: "gtid_executed" })
    }

    /// The end of the binlog; the connections when all of it must have become visible.
    fn by_waiting(&mut self) -> Result<Tied> {
        let position = self.end()?;
        let patience = self.commit_patience()?;
        log::info!("{}: waiting {patience:?} until all commits are visible", self.plan.address());
        let until = Instant::now() + patience;
        while Instant::now() < until {
            self.check_stop()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        self.start_all()?;
        let upto = Some(self.upto()?);
        Ok(Tied { position, upto, means: "none (waited for commits)" })
    }

    /// How long a transaction may be in the binlog and not visible.
    fn commit_patience(&mut self) -> Result<Duration> {
        let mut patience = Duration::from_secs(2);
        for side in ["master", "source"] {
            let enabled = self.control.global(&format!("rpl_semi_sync_{side}_enabled"))?;
            if !enabled.is_some_and(|v| v == "1" || v.eq_ignore_ascii_case("on")) {
                continue;
            }
            let timeout = self.control.global(&format!("rpl_semi_sync_{side}_timeout"))?;
            let millis = timeout.and_then(|t| t.parse().ok()).unwrap_or(10_000);
            patience = patience.max(Duration::from_millis(millis) + Duration::from_secs(1));
        }
        Ok(patience)
    }

    /// The end of the binlog.
    fn end(&mut self) -> Result<Position> {
        let end = position::end(&mut self.control);
        self.if_needed(end)
    }

    /// What no row of the views lies behind, asked when all of them are open.
    fn upto(&mut self) -> Result<Position> {
        let end = position::end_of_visible(&mut self.control);
        self.if_needed(end)
    }

    fn if_needed(&self, position: Result<Position>) -> Result<Position> {
        match position {
            Err(e) if !self.options.position_needed && position::is_untold(&e) => {
                Ok(Position::default())
            }
            other => other,
        }
    }

    fn start_all(&mut self) -> Result {
        for conn in &mut self.readers {
            conn.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")?;
        }
        Ok(())
    }

    fn check_stop(&self) -> Result {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::new(&codes::STOPPED, "the task was asked to stop"));
        }
        Ok(())
    }
}

fn may_fall_back(error: &Error) -> bool {
    is_access_denied(error)
        || is_lock_timeout(error)
        || error.server_error() == Some(numbers::NO_SUCH_TABLE)
}

fn not_locked(error: &Error, statement: &str, attempts: u32) -> Error {
    let head: String = statement.chars().take(60).collect();
    let global = statement.starts_with("FLUSH");
    let mut out = Error::new(
        if global { &codes::DUMP_GLOBAL_LOCK } else { &codes::SOURCE_LOCK },
        format!(
            "`{head}` failed after {attempts} attempts of {LOCK_SECONDS} s: {}",
            error.message()
        ),
    );
    if let Some(number) = error.server_error() {
        out = out.server_number(number);
    }
    if let Some(cause) = error.raw_cause() {
        out = out.cause(cause);
    }
    let lasting = is_access_denied(error);
    if lasting { out } else { out.transient() }
}
