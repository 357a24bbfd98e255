//! How a TiDB carries out statements that change structures.
//!
//! Such a statement is a job there: the server that was asked puts it into a queue and waits; one of the
//! cluster's servers works on it, also when the connection that asked is gone. So the named lock of the
//! connection says nothing of the job's end. `ADMIN SHOW DDL JOBS` does: after a broken connection the
//! statement's tables are looked at when no job on them is under way any more, and only then structures tell
//! whether it ran. A job that somebody cancelled, or that was rolled back, stops the task: running it again is
//! what nobody may want.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::session::Session;
use crate::ddl::{Flavor, ServerVersion};
use crate::error::{Error, Result, codes};
use crate::sink::{Clauses, TargetDdl};

/// From 6.2 on an ALTER TABLE may have several clauses.
const MULTI_SCHEMA_CHANGE: u32 = 60_200;
/// So many of the last jobs are asked for.
const JOBS: u32 = 100;
/// How often, and how often a stop is looked for meanwhile.
const ASK_EVERY: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(50);
/// How often the log says what is waited for.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// No privilege for `ADMIN`.
const DENIED: &[u16] = &[1142, 1227, 8121];

/// How the server takes an ALTER TABLE of several clauses.
pub(super) fn clauses(version: ServerVersion) -> Clauses {
    // A build that does not tell its number is taken for a new one.
    match version.flavor {
        Flavor::TiDb if (1..MULTI_SCHEMA_CHANGE).contains(&version.number) => Clauses::OneByOne,
        Flavor::TiDb => Clauses::MostlyTogether,
        _ => Clauses::Together,
    }
}

/// A job on a table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Job {
    id: u64,
    state: String,
}

impl Job {
    fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "done" | "synced") || self.was_given_up()
    }

    fn was_given_up(&self) -> bool {
        matches!(self.state.as_str(), "cancelled" | "rollback done")
    }
}

/// Waits until no job on the tables of a statement is under way.
///
/// # Errors
///
/// As [`crate::sink::Sink::await_ddl`].
pub(super) fn await_ddl(session: &mut Session, ddl: &TargetDdl, stop: &AtomicBool) -> Result {
    let mut said: Option<Instant> = None;
    loop {
        let jobs = jobs(session, ddl)?;
        let Some(job) = jobs.iter().find(|job| !job.has_ended()) else {
            return given_up(session, &jobs, ddl);
        };
        if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            log::info!("job {} of the target is {}: it is waited for", job.id, job.state);
            said = Some(Instant::now());
        }
        let asked = Instant::now();
        while asked.elapsed() < ASK_EVERY {
            if stop.load(Ordering::Relaxed) {
                let text = "stopped while the target works on a statement";
                return Err(Error::new(&codes::STOPPED, text));
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// True when the user of the target has no privilege to ask for jobs.
pub(super) fn may_not_ask(error: &Error) -> bool {
    error.server_error().is_some_and(|n| DENIED.contains(&n))
}

/// The last jobs on a statement's tables, the latest first.
fn jobs(session: &mut Session, ddl: &TargetDdl) -> Result<Vec<Job>> {
    let names = ["JOB_ID", "DB_NAME", "TABLE_NAME", "STATE"];
    let rows = session.columns(&format!("ADMIN SHOW DDL JOBS {JOBS}"), names).map_err(|e| {
        if !may_not_ask(&e) {
            return e;
        }
        e.context("the connection broke while the target ran a statement, and what became of it cannot be asked")
            .workaround(
                "Give the user of the target the privilege SUPER, which `ADMIN SHOW DDL JOBS` needs there; \
                 or find out by hand what became of the statement.",
            )
    })?;
    Ok(of_tables(rows, ddl))
}

fn of_tables(rows: Vec<[Option<String>; 4]>, ddl: &TargetDdl) -> Vec<Job> {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let mut jobs: Vec<Job> = Vec::new();
    for [id, schema, table, state] in rows {
        let (schema, table) = (schema.unwrap_or_default(), table.unwrap_or_default());
        let concerns = ddl.tables.iter().any(|t| {
            // A job on a schema has no table.
            same(&t.schema, &schema)
                && (table.is_empty() || t.table.is_empty() || same(&t.table, &table))
        });
        if let (true, Some(Ok(id))) = (concerns, id.map(|id| id.parse())) {
            jobs.push(Job { id, state: state.unwrap_or_default().to_lowercase() });
        }
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    jobs
}

/// An error when the last job on the tables is this statement, and came to nothing.
fn given_up(session: &mut Session, jobs: &[Job], ddl: &TargetDdl) -> Result {
    let Some(job) = jobs.first().filter(|job| job.was_given_up()) else { return Ok(()) };
    let sql = format!("ADMIN SHOW DDL JOB QUERIES {}", job.id);
    let text = session.columns(&sql, ["QUERY"])?;
    let is_it = text.iter().flatten().flatten().any(|text| same_text(text, &ddl.sql));
    if !is_it {
        return Ok(());
    }
    Err(Error::new(
        &codes::ASYNC_DDL_CANCELLED,
        format!("job {} of the target is {}: {}", job.id, job.state, ddl.sql),
    ))
}

/// True for the text of a job that is this statement, alone or with the rename of a marker behind it
/// ([`super::once`]).
fn same_text(job: &str, sql: &str) -> bool {
    let plain = |text: &str| text.trim().trim_end_matches(';').trim_end().to_owned();
    plain(job) == plain(sql) || job.trim_start().starts_with(&format!("{}\n, ", sql.trim_start()))
}

#[cfg(test)]
mod tests {
    use dm_filter::TableName;

    use super::*;

    #[test]
    fn versions_decide_about_clauses() {
        let of = |text: &str| clauses(ServerVersion::parse(text));
        assert_eq!(of("5.7.25-TiDB-v5.3.0"), Clauses::OneByOne);
        assert_eq!(of("5.7.25-TiDB-v6.1.7"), Clauses::OneByOne);
        assert_eq!(of("8.0.11-TiDB-v7.5.0"), Clauses::MostlyTogether);
        assert_eq!(of("8.0.11-TiDB-None"), Clauses::MostlyTogether);
        assert_eq!(of("8.4.0"), Clauses::Together);
        assert_eq!(of("10.11.6-MariaDB"), Clauses::Together);
    }

    #[test]
    fn jobs_of_the_tables_are_found() {
        let row = |id: &str, db: &str, table: &str, state: &str| {
            [id, db, table, state].map(|s| Some(s.to_owned()))
        };
        let ddl = TargetDdl::new("ALTER TABLE `d`.`t` ADD c INT", vec![TableName::new("d", "t")]);
        let rows = vec![
            row("9", "D", "T", "running"),
            row("11", "d", "", "synced"),
            row("10", "d", "u", "running"),
            row("12", "e", "t", "queueing"),
            row("?", "d", "t", "running"),
        ];
        let jobs = of_tables(rows, &ddl);
        let found: Vec<(u64, bool)> = jobs.iter().map(|j| (j.id, j.has_ended())).collect();
        assert_eq!(found, [(11, true), (9, false)]);
        assert!(same_text(" ALTER TABLE t ; ", "ALTER TABLE t"));
        let marked = "RENAME TABLE a TO b\n, `dm_meta`.`m0` TO `dm_meta`.`m1`";
        assert!(same_text(marked, "RENAME TABLE a TO b"));
        assert!(!same_text("RENAME TABLE a TO b, c TO d", "RENAME TABLE a TO b"));
    }
}
