//! The session in which a statement of the source runs.
//!
//! Guarantee: it does to the rows of the target what it did to those of the source. Obstacle: what it does
//! depends on its session: numbers for zeros, seconds that are rounded or cut off, dates that do not exist, times
//! of a zone. Method: what is known of the source's session is set, in the target's words; what it does not take
//! stops the task where it would come out as something else.

use super::session::Session;
use super::{Shared, TargetDdl};
use crate::ddl::{Flavor as Dialect, ServerVersion};
use crate::error::{Error, Result};
use crate::mysql::{offset_question, zone_of_offset};
use crate::position::Flavor;
use crate::sql::{push_ident, push_string};

/// A `time_zone` that the server does not know.
const UNKNOWN_ZONE: u16 = 1298;
/// Seconds are cut off instead of rounded, from this MySQL on.
const CUTS: u32 = 80_000;
/// Seconds are rounded instead of cut off, from this MariaDB on.
const ROUNDS: u32 = 100_400;
/// Oracle's names of types, from this MariaDB on.
const ORACLE: u32 = 100_300;

impl Shared {
    /// Runs a statement with this text in its session.
    pub(super) fn run_ddl(&self, session: &mut Session, ddl: &TargetDdl, sql: &str) -> Result {
        let mode = sql_mode(ddl.sql_mode.as_deref().unwrap_or_default(), ddl.from, self.version()?);
        set(session, "sql_mode", &mode)?;
        if let Some(zone) = &ddl.time_zone {
            time_zone(session, zone, ddl)?;
        }
        if let Some(collation) = &ddl.collation_server {
            let _ = set(session, "collation_server", collation);
        }
        if let Some(collation) = &ddl.utf8mb4_collation {
            // Not every server has it, and some want a privilege.
            let _ = set(session, "default_collation_for_utf8mb4", collation);
        }
        if let Some(explicit) = ddl.explicit_defaults_for_timestamp {
            explicit_defaults(session, explicit);
        }
        if ddl.at != 0 {
            session.exec(&format!("SET TIMESTAMP={}.{:06}", ddl.at, ddl.microseconds))?;
        }
        if !ddl.schema.is_empty() {
            let mut sql = String::from("USE ");
            push_ident(&mut sql, &ddl.schema);
            session.exec(&sql)?;
        }
        session.exec(sql).map(|_| ()).map_err(|e: Error| {
            let tables: Vec<String> = ddl.tables.iter().map(ToString::to_string).collect();
            e.context(format!("running {:?} at the target on {}", ddl.sql, tables.join(", ")))
        })
    }
}

fn set(session: &mut Session, name: &str, value: &str) -> Result {
    let mut sql = format!("SET SESSION {name}=");
    push_string(&mut sql, value);
    session.exec(&sql).map(|_| ())
}

/// The statement was logged with its zone because that matters: in another one it would mean other times.
fn time_zone(session: &mut Session, zone: &str, ddl: &TargetDdl) -> Result {
    let own;
    let zone = match ddl.system_offset.and_then(zone_of_offset) {
        Some(offset) if zone == "SYSTEM" => {
            set(session, "time_zone", zone)?;
            let here = session.value(&offset_question(ddl.at))?;
            if here.and_then(|text| text.parse().ok()) == ddl.system_offset {
                return Ok(());
            }
            own = offset;
            own.as_str()
        }
        _ => zone,
    };
    set(session, "time_zone", zone).map_err(|error| match error.server_error() {
        Some(UNKNOWN_ZONE) => error
            .context(format!("a statement of the source ran with time_zone={zone:?}"))
            .workaround(
                "Load the time zones at the target (`mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql mysql`), then \
                 start the task again; or give a statement in its place that does not depend on the zone (`dm \
                 handle-error ... replace`).",
            ),
        _ => error,
    })
}

/// The modes that decide how a statement is read and what it does, of a source's sql_mode.
///
/// Dates: a strict source has taken none that does not exist, so all that are there may stay as they are, also
/// where the target would refuse them. Any other source has made zeros of them.
pub(in crate::sink) fn sql_mode(
    source: &str,
    from: Option<Flavor>,
    target: ServerVersion,
) -> String {
    const KEEP: [&str; 13] = [
        "REAL_AS_FLOAT",
        "PIPES_AS_CONCAT",
        "ANSI_QUOTES",
        "IGNORE_SPACE",
        "HIGH_NOT_PRECEDENCE",
        "NO_AUTO_VALUE_ON_ZERO",
        "NO_BACKSLASH_ESCAPES",
        "NO_UNSIGNED_SUBTRACTION",
        "NO_DIR_IN_CREATE",
        "PAD_CHAR_TO_FULL_LENGTH",
        "STRICT_TRANS_TABLES",
        "STRICT_ALL_TABLES",
        "NO_ENGINE_SUBSTITUTION",
    ];
    const DATES: [&str; 3] = ["NO_ZERO_IN_DATE", "NO_ZERO_DATE", "ALLOW_INVALID_DATES"];
    let has = |mode: &str| source.split(',').any(|m| m == mode);
    let strict = has("STRICT_TRANS_TABLES") || has("STRICT_ALL_TABLES");
    let mut modes: Vec<&'static str> = Vec::new();
    let mut add = |mode: &'static str| modes.push(mode);
    KEEP.into_iter().filter(|m| has(m)).for_each(&mut add);
    if strict || from.is_none() {
        add("ALLOW_INVALID_DATES");
    } else {
        DATES.into_iter().filter(|m| has(m)).for_each(&mut add);
    }
    if has("ORACLE") && target.at_least(Dialect::MariaDb, ORACLE) {
        add("ORACLE");
    }
    // One family rounds, the other one cuts, unless it is told otherwise.
    let rounds = match from {
        Some(Flavor::MySql) => Some(!has("TIME_TRUNCATE_FRACTIONAL")),
        Some(Flavor::MariaDb) => Some(has("TIME_ROUND_FRACTIONAL")),
        None => None,
    };
    if rounds == Some(false) && target.at_least(Dialect::MySql, CUTS) {
        add("TIME_TRUNCATE_FRACTIONAL");
    }
    if rounds == Some(true) && target.at_least(Dialect::MariaDb, ROUNDS) {
        add("TIME_ROUND_FRACTIONAL");
    }
    modes.join(",")
}

/// Sets what TIMESTAMP columns are that say nothing. Some servers want a privilege for it, and a TiDB has one
/// value only: where it is another one, the structures may differ.
fn explicit_defaults(session: &mut Session, explicit: bool) {
    let value = u8::from(explicit);
    let Err(error) = session.exec(&format!("SET SESSION explicit_defaults_for_timestamp={value}"))
    else {
        return;
    };
    let is = session.value("SELECT @@SESSION.explicit_defaults_for_timestamp").ok().flatten();
    if is != Some(value.to_string()) {
        log::warn!(
            "a statement of the source ran with explicit_defaults_for_timestamp={value}, which the target does \
             not take: TIMESTAMP columns without a default may differ: {error}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_go_by_source_and_target() {
        let of = |source, from, target| sql_mode(source, from, ServerVersion::parse(target));
        let (mysql, mariadb) = (Some(Flavor::MySql), Some(Flavor::MariaDb));
        let strict = "ANSI_QUOTES,STRICT_TRANS_TABLES,NO_ZERO_DATE,TIME_TRUNCATE_FRACTIONAL";
        assert_eq!(
            of(strict, mysql, "8.4.0"),
            "ANSI_QUOTES,STRICT_TRANS_TABLES,ALLOW_INVALID_DATES,TIME_TRUNCATE_FRACTIONAL"
        );
        assert_eq!(of("NO_ZERO_DATE", mysql, "8.4.0"), "NO_ZERO_DATE");
        assert_eq!(of("", None, "8.4.0"), "ALLOW_INVALID_DATES");
        assert_eq!(of("NO_AUTO_VALUE_ON_ZERO", mysql, "5.7.44"), "NO_AUTO_VALUE_ON_ZERO");
        assert_eq!(of("", mysql, "10.11.6-MariaDB"), "TIME_ROUND_FRACTIONAL");
        assert_eq!(of("", mariadb, "10.11.6-MariaDB"), "");
        assert_eq!(of("", mariadb, "8.4.0"), "TIME_TRUNCATE_FRACTIONAL");
        assert_eq!(of("TIME_ROUND_FRACTIONAL", mariadb, "8.4.0"), "");
        assert_eq!(of("ORACLE", mariadb, "11.8.2-MariaDB"), "ORACLE");
        assert_eq!(of("ORACLE", mariadb, "8.0.11-TiDB-v7.5.0"), "");
        // The bit of another mode in MariaDB.
        assert_eq!(of("TIME_TRUNCATE_FRACTIONAL", mariadb, "10.4.2-MariaDB"), "");
    }
}
