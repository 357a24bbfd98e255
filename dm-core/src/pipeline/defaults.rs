//! What a source fills in where a statement says nothing: its settings, and those of the statement's session.
//!
//! A tracked structure is only as exact as these: the character set of a schema says in which a column's bytes
//! are, where the binlog does not; and TIMESTAMP columns mean different things.

use crate::binlog::{QueryVars, charset};
use crate::ddl::ServerVersion;
use crate::schema::Defaults;
use crate::source::SourceInfo;

/// By the settings of the server.
pub(crate) fn defaults_of(info: &SourceInfo) -> Defaults {
    let mut defaults = Defaults::of(ServerVersion::parse(&info.version));
    if !info.charset.is_empty() {
        info.charset.clone_into(&mut defaults.charset);
    }
    if !info.collation.is_empty() {
        info.collation.clone_into(&mut defaults.collation);
    }
    if let Some(explicit) = info.explicit_defaults_for_timestamp {
        defaults.explicit_defaults_for_timestamp = explicit;
    }
    if let Some(format) = &info.row_format {
        format.clone_into(&mut defaults.row_format);
    }
    if let Some(collations) = &info.charset_collations {
        defaults.set_charset_collations(collations);
    }
    defaults.lower_case_table_names = info.lower_case_table_names;
    defaults
}

/// By the session of a statement, as far as the binlog tells it; else as the server has it.
pub(crate) fn of_session(server: &Defaults, vars: &QueryVars, info: &SourceInfo) -> Defaults {
    let mut defaults = server.clone();
    if let Some(collation) = vars.charset.and_then(|c| charset::by_id(c.server)) {
        collation.charset.clone_into(&mut defaults.charset);
        collation.name(info.flavor).clone_into(&mut defaults.collation);
    }
    if let Some(explicit) = vars.explicit_defaults(server.server) {
        defaults.explicit_defaults_for_timestamp = explicit;
    }
    if let Some(collation) = vars.default_collation_for_utf8mb4.and_then(charset::by_id) {
        let name = collation.name(info.flavor).to_owned();
        defaults.charset_collations.insert("utf8mb4".to_owned(), name);
    }
    defaults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::SessionCharset;
    use crate::event::SourceId;
    use crate::position::Flavor;

    fn info(flavor: Flavor, version: &str, explicit: Option<bool>) -> SourceInfo {
        SourceInfo {
            id: SourceId::new("s"),
            flavor,
            version: version.to_owned(),
            server: String::new(),
            lower_case_table_names: 1,
            sql_mode: String::new(),
            charset: "gbk".to_owned(),
            collation: "gbk_bin".to_owned(),
            explicit_defaults_for_timestamp: explicit,
            row_format: Some("compact".to_owned()),
            charset_collations: Some("utf8mb4=utf8mb4_unicode_ci".to_owned()),
        }
    }

    #[test]
    fn a_server_has_settings_of_its_own() {
        let defaults = defaults_of(&info(Flavor::MySql, "8.4.0", Some(false)));
        assert_eq!((defaults.charset.as_str(), defaults.collation.as_str()), ("gbk", "gbk_bin"));
        assert_eq!(defaults.collation_of("utf8mb4"), "utf8mb4_unicode_ci");
        assert!(!defaults.explicit_defaults_for_timestamp);
        assert_eq!((defaults.lower_case_table_names, defaults.row_format.as_str()), (1, "compact"));
        let unknown = defaults_of(&info(Flavor::MySql, "8.4.0", None));
        assert!(unknown.explicit_defaults_for_timestamp, "as it is compiled in");
    }

    #[test]
    fn a_session_has_others() {
        let mysql = info(Flavor::MySql, "8.4.0", None);
        let server = defaults_of(&mysql);
        assert_eq!(of_session(&server, &QueryVars::default(), &mysql), server);
        let vars = QueryVars {
            charset: Some(SessionCharset { client: 33, connection: 33, server: 47 }),
            explicit_defaults_for_timestamp: Some(false),
            default_collation_for_utf8mb4: Some(45),
            ..QueryVars::default()
        };
        let session = of_session(&server, &vars, &mysql);
        assert_eq!(
            (session.charset.as_str(), session.collation.as_str()),
            ("latin1", "latin1_bin")
        );
        assert_eq!(session.collation_of("utf8mb4"), "utf8mb4_general_ci");
        assert!(!session.explicit_defaults_for_timestamp);
    }

    /// MariaDB has it among the flags, and that from 10.10 on.
    #[test]
    fn timestamps_of_mariadb() {
        let explicit = |version: &str, setting: bool, flags: u32| {
            let info = info(Flavor::MariaDb, version, Some(setting));
            let vars = QueryVars { flags2: Some(flags), ..QueryVars::default() };
            of_session(&defaults_of(&info), &vars, &info).explicit_defaults_for_timestamp
        };
        let on = QueryVars::EXPLICIT_DEFAULTS;
        assert!(explicit("10.11.6-MariaDB", false, on) && !explicit("10.11.6-MariaDB", true, 0));
        assert!(explicit("10.4.2-MariaDB", true, 0) && !explicit("10.4.2-MariaDB", false, on));
    }
}
