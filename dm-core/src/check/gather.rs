//! Gathers the facts: the only part of the checks that connects.
//!
//! Sources are asked side by side, their tables over a few connections each; both numbers are
//! bounded. A source that cannot be asked at all is reported and takes no part; what the user may
//! not see is noted in the facts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use dm_filter::{Filter, Interest, TableName};

use super::facts::{BinlogStatus, Facts, ServerFacts, SourceFacts, SourceServer, TableFacts};
use super::gather_target::target;
use super::grants::Grants;
use super::{SourceSubject, Subject};
use crate::config::{ConnPlan, SourceKind};
use crate::error::{Error, Result, codes};
use crate::event::SourceId;
use crate::mysql::{Connection, Purpose, cell, is_access_denied, named_cell};
use crate::online_ddl::{Names, running};
use crate::position::{BinlogPos, Flavor, GtidSet, Position};
use crate::schema::TableInfo;
use crate::source::mysql::{
    MySqlSource, SnapshotOptions, StreamOptions, describe_table, table_sizes,
};
use crate::sql::{quote_ident, quote_text};

/// Sources that are asked at a time.
const SOURCES: usize = 8;
/// Connections that ask for the structures of one source.
const CONNECTIONS: usize = 4;
/// Fewer tables than this are not worth further connections.
const FEW: usize = 32;

/// All facts, and the servers that could not be asked.
pub(super) fn facts<'a>(subject: &Subject<'a>) -> (Facts<'a>, Vec<Error>) {
    let answers = side_by_side(&subject.sources, SOURCES, |s| {
        one_source(subject, s).map_err(|e| e.context(format!("source {}", s.creator.source)))
    });
    let (mut sources, mut unreachable) = (Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Some(Ok(facts)) => sources.push(facts),
            Some(Err(error)) => unreachable.push(error),
            None => {}
        }
    }
    let target = match target(subject, &mut sources) {
        Ok(target) => target,
        Err(error) => {
            unreachable.push(error);
            Default::default()
        }
    };
    let state_dir = subject.state_dir.and_then(state_dir);
    (Facts { plan: subject.plan, sources, target, state_dir }, unreachable)
}

fn state_dir(dir: &Path) -> Option<Error> {
    crate::state::look_at_dir(dir).err()
}

/// Does the same to many things in a few threads; the answers in the order of the things. `None`
/// where a thread ended unexpectedly.
pub(super) fn side_by_side<T: Sync, R: Send>(
    things: &[T],
    threads: usize,
    f: impl Fn(&T) -> R + Sync,
) -> Vec<Option<R>> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<Option<R>>> = Mutex::new(things.iter().map(|_| None).collect());
    let work = || {
        while let Some((at, thing)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            things.get(at).map(|t| (at, t))
        } {
            let answer = f(thing);
            let mut all = answers.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = all.get_mut(at) {
                *slot = Some(answer);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(things.len()) {
            scope.spawn(work);
        }
        work();
    });
    answers.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn one_source<'a>(subject: &Subject<'_>, part: &SourceSubject<'a>) -> Result<SourceFacts<'a>> {
    let mut facts = SourceFacts {
        id: part.creator.source.as_str().to_owned(),
        plan: part.plan,
        fresh: part.fresh,
        server: None,
        changes: Vec::new(),
        tables: Vec::new(),
    };
    if let (SourceKind::Mysql(plan), true) = (&part.plan.kind, part.own) {
        let mut conn = Connection::open(&plan.conn, Purpose::Control)?;
        facts.server = Some(server(&mut conn, subject, part)?);
        if !subject.sources_alone && part.fresh {
            facts.tables = tables(&mut conn, subject, part, &plan.conn)?;
        }
    } else if !subject.sources_alone && part.fresh {
        facts.tables = foreign_tables(subject, part)?;
    }
    if !subject.sources_alone && part.fresh && subject.plan.mode.dumps() {
        facts.changes = changes(part)?;
    }
    Ok(facts)
}

/// The online schema changes of tables that are copied.
fn changes(part: &SourceSubject<'_>) -> Result<Vec<(TableName, TableName)>> {
    let Some(rules) = &part.creator.online else { return Ok(Vec::new()) };
    let fold = part.source.info()?.lower_case_table_names != 0;
    let names = Names::new(Arc::clone(rules), fold);
    let (chosen, wanted) = (names.clone(), part.creator.clone());
    let tables =
        part.source.tables(&move |t| chosen.candidates(t).iter().any(|r| wanted.wants(r)))?;
    Ok(running(&names, &tables, &|real| part.creator.wants(real)))
}

/// What every server tells.
pub(super) fn about(conn: &mut Connection) -> Result<ServerFacts> {
    let variables = ask(conn, "SHOW GLOBAL VARIABLES")?.unwrap_or_default();
    let variables = variables.iter().map(|r| (cell(r, 0).to_ascii_lowercase(), cell(r, 1)));
    let user = conn.scalar("SELECT CURRENT_USER()")?.unwrap_or_default();
    let (name, host) = user.rsplit_once('@').unwrap_or((user.as_str(), "%"));
    let connected = ask(conn, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")?.unwrap_or_default();
    Ok(ServerFacts {
        address: conn.address().to_owned(),
        account: format!("{}@{}", quote_text(name), quote_text(host)),
        version: conn.version().clone(),
        variables: variables.collect(),
        connected: connected.first().and_then(|r| cell(r, 1).parse().ok()).unwrap_or(0),
        grants: grants(conn)?,
    })
}

/// The rights of the user and of its active roles.
fn grants(conn: &mut Connection) -> Result<Option<Grants>> {
    let mut lines = match conn.rows("SHOW GRANTS") {
        Ok(rows) => rows.iter().map(|r| cell(r, 0)).collect::<Vec<_>>(),
        Err(e) if e.is_transient() => return Err(e),
        // A server without grant tables lets everybody do everything.
        Err(_) => return Ok(None),
    };
    // Servers without roles have no such function.
    let roles = conn.scalar("SELECT CURRENT_ROLE()").ok().flatten();
    let roles = roles.filter(|r| !r.is_empty() && !r.eq_ignore_ascii_case("none"));
    if let Some(roles) = roles {
        let sql = if conn.version().is_mariadb() {
            format!("SHOW GRANTS FOR {}", quote_ident(&roles))
        } else {
            // The answer of CURRENT_ROLE is a list that this statement takes.
            format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}")
        };
        if let Ok(rows) = conn.rows(&sql) {
            lines.retain(|l| l.contains(" ON "));
            lines.extend(rows.iter().map(|r| cell(r, 0)).filter(|l| l.contains(" ON ")));
        }
    }
    Ok(Some(Grants::parse(lines.iter().map(String::as_str))))
}

fn server(
    conn: &mut Connection,
    subject: &Subject<'_>,
    part: &SourceSubject<'_>,
) -> Result<SourceServer> {
    let about = about(conn)?;
    Ok(SourceServer {
        status: status(conn)?,
        is_replica: is_replica(conn)?,
        prepared: part.source.prepared()?.map(|p| p.xids.into_iter().collect()),
        start: if part.fresh { start(subject, part, conn)? } else { None },
        rds_retention: rds_retention(conn)?,
        sequences: match part.fresh && !subject.sources_alone {
            true => sequences(conn, part)?,
            false => Vec::new(),
        },
        about,
    })
}

/// The sequences whose names take part; only MariaDB has such things.
fn sequences(conn: &mut Connection, part: &SourceSubject<'_>) -> Result<Vec<TableName>> {
    if !conn.version().is_mariadb() {
        return Ok(Vec::new());
    }
    let sql = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
               WHERE TABLE_TYPE = 'SEQUENCE' ORDER BY 1, 2";
    let rows = ask(conn, sql)?.unwrap_or_default();
    let names = rows.iter().map(|row| TableName::new(cell(row, 0), cell(row, 1)));
    Ok(names.filter(|name| part.creator.wants(name)).collect())
}

/// An answer; `None` when the user may not ask or the server does not know the question.
fn ask(conn: &mut Connection, sql: &str) -> Result<Option<Vec<::mysql::Row>>> {
    match conn.rows(sql) {
        Ok(rows) => Ok(Some(rows)),
        Err(e) if e.is_transient() => Err(e),
        Err(_) => Ok(None),
    }
}

fn status(conn: &mut Connection) -> Result<BinlogStatus> {
    let new = conn.version().is_mysql_from(8, 2, 0);
    let rows = match conn.rows(if new { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" }) {
        Ok(rows) => rows,
        Err(e) if is_access_denied(&e) => return Ok(BinlogStatus::Denied),
        Err(e) if e.is_transient() => return Err(e),
        Err(_) => return Ok(BinlogStatus::Off),
    };
    let Some(row) = rows.first() else { return Ok(BinlogStatus::Off) };
    let list = |name: &str| {
        let text = named_cell(row, name).unwrap_or_default();
        text.split(',').map(|d| d.trim().to_owned()).filter(|d| !d.is_empty()).collect()
    };
    Ok(BinlogStatus::On { only: list("Binlog_Do_DB"), without: list("Binlog_Ignore_DB") })
}

/// Hours that Amazon's RDS and Aurora keep binlog files, whatever the variables say; `Some(None)` where
/// they are removed as soon as nobody there needs them.
fn rds_retention(conn: &mut Connection) -> Result<Option<Option<f64>>> {
    let sql = "SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'";
    let rows = ask(conn, sql)?;
    Ok(rows.and_then(|rows| rows.first().map(|row| cell(row, 0).parse().ok())))
}

fn is_replica(conn: &mut Connection) -> Result<Option<bool>> {
    let new = conn.version().is_mysql_from(8, 0, 22);
    let sql = if new { "SHOW REPLICA STATUS" } else { "SHOW SLAVE STATUS" };
    Ok(ask(conn, sql)?.map(|rows| !rows.is_empty()))
}

/// Whether the stream can begin where the instance's `meta` says.
fn start(
    subject: &Subject<'_>,
    part: &SourceSubject<'_>,
    conn: &Connection,
) -> Result<Option<Error>> {
    let (SourceKind::Mysql(plan), Some(meta)) = (&part.plan.kind, &part.plan.meta) else {
        return Ok(None);
    };
    if subject.plan.mode.copies() || !subject.plan.mode.syncs() {
        return Ok(None);
    }
    let position = || -> Result<Position> {
        let binlog = match &meta.binlog {
            Some((name, pos)) => Some(BinlogPos::new(name.parse()?, *pos)),
            None => None,
        };
        let flavor: Flavor = conn.version().flavor();
        let gtid = match &meta.gtid {
            Some(text) => Some(GtidSet::parse(flavor, text)?),
            None => None,
        };
        Ok(Position { binlog, gtid })
    };
    let options = StreamOptions { use_gtid: plan.enable_gtid, ..StreamOptions::default() };
    let id = SourceId::new(part.plan.source_id.as_str());
    let live = MySqlSource::new(id, plan.conn.clone(), SnapshotOptions::default(), options);
    match position().and_then(|p| live.can_start(&p)) {
        Ok(()) => Ok(None),
        Err(e) if e.is_transient() => Err(e),
        // That is what `replication_privilege` finds.
        Err(e) if is_access_denied(&e) => Ok(None),
        Err(e) => Ok(Some(e)),
    }
}

/// True for tables that are copied or followed.
fn takes_part(
    subject: &Subject<'_>,
    part: &SourceSubject<'_>,
) -> impl Fn(&TableName) -> bool + use<> {
    let (copies, syncs) = (subject.plan.mode.copies(), subject.plan.mode.syncs());
    let creator = part.creator.clone();
    move |t| (copies && creator.wants(t)) || (syncs && creator.filter.interest(t) != Interest::Skip)
}

fn tables(
    conn: &mut Connection,
    subject: &Subject<'_>,
    part: &SourceSubject<'_>,
    plan: &ConnPlan,
) -> Result<Vec<TableFacts>> {
    let names = part.source.tables(&takes_part(subject, part))?;
    let sizes = table_sizes(conn, &names)?;
    let threads = if names.len() < FEW { 1 } else { CONNECTIONS };
    let pool: Mutex<Vec<Connection>> = Mutex::default();
    let answers = side_by_side(&names, threads, |name| -> Result<Option<TableInfo>> {
        let idle = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => Connection::open(plan, Purpose::Control)?,
        };
        let answer = describe_table(&mut conn, name);
        pool.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        answer
    });
    let mut tables = Vec::new();
    for (name, answer) in names.into_iter().zip(answers) {
        let bytes = sizes.get(&name).map_or(0, |(_, bytes)| *bytes);
        tables.extend(table(part, name, answer, bytes)?);
    }
    Ok(tables)
}

/// A table's facts; `None` when it is gone meanwhile.
fn table(
    part: &SourceSubject<'_>,
    name: TableName,
    answer: Option<Result<Option<TableInfo>>>,
    bytes: u64,
) -> Result<Option<TableFacts>> {
    let info = match answer {
        Some(Ok(None)) => return Ok(None),
        Some(Ok(Some(info))) => Ok(info),
        Some(Err(e)) if e.is_transient() => return Err(e),
        Some(Err(e)) => Err(e),
        None => Err(Error::new(&codes::SYNC_PANIC, "reading a structure ended unexpectedly")),
    };
    let target = part.creator.target(&name).map_err(|e| e.message().to_owned());
    Ok(Some(TableFacts { name, info: Some(info), bytes, target, refused: None }))
}

/// The tables of a source that is no server.
fn foreign_tables(subject: &Subject<'_>, part: &SourceSubject<'_>) -> Result<Vec<TableFacts>> {
    let mut tables = Vec::new();
    for name in part.source.tables(&takes_part(subject, part))? {
        // Not every recorded source holds structures before it is read.
        let info = part.source.describe(&name).ok().flatten().map(Ok);
        let target = part.creator.target(&name).map_err(|e| e.message().to_owned());
        tables.push(TableFacts { name, info, bytes: 0, target, refused: None });
    }
    Ok(tables)
}
