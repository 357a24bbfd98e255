//! The session of a statement of the source, as text around it. Pure.
//!
//! What a statement does depends on when it ran, in which zone and in which `sql_mode`. What is said before it is
//! taken back behind it, as rows are written for the session that the script begins with. What only MySQL
//! has stands in a comment that only it executes.

use crate::ddl::{ParseContext, ServerVersion, SqlMode, StatementKind as K, parse};
use crate::mysql::zone_of_offset;
use crate::sink::TargetDdl;
use crate::sink::mysql::sql_mode;
use crate::sql::push_string;

/// The session that the literals of rows are written for.
pub(super) const MODE: &str = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,STRICT_ALL_TABLES";
pub(super) const ZONE: &str = "+00:00";
/// Only some versions of MySQL have it, and this is what they have of themselves.
const UTF8MB4: &str = "SET default_collation_for_utf8mb4=";
const NEWEST: &str = "utf8mb4_0900_ai_ci";

/// What stands before a statement and behind it.
pub(super) fn around(ddl: &TargetDdl) -> (String, String) {
    let (mut before, mut behind) = (String::new(), String::new());
    let (Some(source), Some(_)) = (&ddl.sql_mode, ddl.from) else { return (before, behind) };
    let mut say = |name: &str, value: &str, back: &str| {
        before.push_str(&set(name, value));
        behind.push_str(&set(name, back));
    };
    let context = ParseContext {
        sql_mode: SqlMode::from_names(source),
        default_schema: ddl.schema.clone(),
        server: None,
    };
    let kind = parse(&ddl.sql, &context).map(|statement| statement.kind);
    // Others do nothing to rows, and are read the same way where nothing in them is quoted.
    let shapes =
        !matches!(kind, Ok(K::DropTable | K::TruncateTable | K::RenameTable | K::DropDatabase));
    if shapes || ddl.sql.contains(['"', '\\']) {
        // Of no server that has a mode of its own.
        let mode = sql_mode(source, ddl.from, ServerVersion::parse("5.6.0"));
        if mode != MODE {
            say("sql_mode", &mode, MODE);
        }
    }
    if !shapes {
        return (before, behind);
    }
    let zone = match (ddl.time_zone.as_deref(), ddl.system_offset.and_then(zone_of_offset)) {
        (Some("SYSTEM"), offset) => offset,
        (zone, _) => zone.map(str::to_owned),
    };
    if let Some(zone) = zone.filter(|zone| zone != ZONE) {
        say("time_zone", &zone, ZONE);
    }
    if let Some(collation) = &ddl.collation_server
        && matches!(kind, Ok(K::CreateDatabase))
    {
        say("collation_server", collation, "DEFAULT");
    }
    if let Some(collation) = ddl.utf8mb4_collation.as_deref().filter(|name| *name != NEWEST) {
        before.push_str(&format!("/*!80011 {UTF8MB4}'{collation}' */;\n"));
        behind.push_str(&format!("/*!80011 {UTF8MB4}DEFAULT */;\n"));
    }
    if ddl.explicit_defaults_for_timestamp == Some(false) {
        before.push_str("SET explicit_defaults_for_timestamp=0;\n");
        behind.push_str("SET explicit_defaults_for_timestamp=DEFAULT;\n");
    }
    if ddl.at != 0 {
        before.push_str(&format!("SET TIMESTAMP={}.{:06};\n", ddl.at, ddl.microseconds));
        behind.push_str("SET TIMESTAMP=DEFAULT;\n");
    }
    (before, behind)
}

fn set(name: &str, value: &str) -> String {
    let mut text = format!("SET {name}=");
    match value {
        "DEFAULT" => text.push_str(value),
        _ => push_string(&mut text, value),
    }
    text.push_str(";\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Flavor;

    #[test]
    fn a_statement_has_the_session_that_it_depends_on() {
        let ddl = |sql: &str| TargetDdl {
            at: 1_700_000_000,
            microseconds: 250_000,
            sql_mode: Some("ANSI_QUOTES,STRICT_TRANS_TABLES,ONLY_FULL_GROUP_BY".into()),
            time_zone: Some("SYSTEM".into()),
            system_offset: Some(19_800),
            collation_server: Some("latin1_swedish_ci".into()),
            utf8mb4_collation: Some("utf8mb4_general_ci".into()),
            explicit_defaults_for_timestamp: Some(false),
            from: Some(Flavor::MySql),
            ..TargetDdl::new(sql, Vec::new())
        };
        let (before, behind) = around(&ddl("ALTER TABLE d.t ADD COLUMN at TIMESTAMP"));
        assert_eq!(
            before,
            "SET sql_mode='ANSI_QUOTES,STRICT_TRANS_TABLES,ALLOW_INVALID_DATES';\n\
             SET time_zone='+05:30';\n\
             /*!80011 SET default_collation_for_utf8mb4='utf8mb4_general_ci' */;\n\
             SET explicit_defaults_for_timestamp=0;\n\
             SET TIMESTAMP=1700000000.250000;\n"
        );
        assert_eq!(
            behind,
            "SET sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,STRICT_ALL_TABLES';\n\
             SET time_zone='+00:00';\n\
             /*!80011 SET default_collation_for_utf8mb4=DEFAULT */;\n\
             SET explicit_defaults_for_timestamp=DEFAULT;\n\
             SET TIMESTAMP=DEFAULT;\n"
        );
        let nothing = (String::new(), String::new());
        assert_eq!(around(&ddl("DROP TABLE d.t")), nothing);
        assert_eq!(around(&ddl("DROP TABLE d.\"t\"")).0.lines().count(), 1);
        assert!(
            around(&ddl("CREATE DATABASE d")).0.contains("collation_server='latin1_swedish_ci'")
        );
        let own = TargetDdl { from: None, ..ddl("CREATE TABLE d.t (id INT)") };
        assert_eq!(around(&own), nothing, "a structure as it was printed");
        let head = super::super::HEAD;
        assert!(head.contains(&set("sql_mode", MODE)) && head.contains(&set("time_zone", ZONE)));
    }
}
