//! Statements in the character sets of their sessions: whatever the bytes are, they are a text that is read or refused.

use proptest::prelude::*;

use crate::binlog::{QueryEvent, SessionCharset};
use crate::ddl::{Flavor, ParseContext, ServerVersion, SqlMode, parse};

/// Collations of sessions, by number: utf8mb4, latin1, gbk, sjis, big5, utf16, binary, cp1251, and one that is none.
const SESSIONS: [u16; 9] = [255, 8, 28, 13, 1, 54, 63, 51, 9_999];

const SERVERS: [ServerVersion; 3] = [
    ServerVersion::new(Flavor::MySql, 9, 7, 4),
    ServerVersion::new(Flavor::MariaDb, 11, 8, 6),
    ServerVersion::new(Flavor::MySql, 5, 6, 51),
];

/// Bytes that mean something of their own: parts of characters, quotes and backslashes that may be such parts.
const BYTES: &[u8] = b"\x5c\x27\x60\x22\x81\x8f\xa1\xbf\xdf\xe4\xf0\x9f\xff\x00\xc3\x40";

fn statements() -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ddl/statements.sql");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn bytes_of_any_session_are_read_or_refused(
        line in prop::sample::select(statements()),
        changes in prop::collection::vec((0usize..300, prop::sample::select(BYTES)), 0..8),
        client in prop::sample::select(&SESSIONS[..]),
        server in prop::sample::select(&SERVERS[..]),
        mode in any::<u64>(),
    ) {
        let mut sql = line;
        for (at, byte) in changes {
            sql.insert(at.min(sql.len()), byte);
        }
        let mut query = QueryEvent::of("d", sql);
        query.vars.charset = Some(SessionCharset { client, connection: client, server: client });
        let context = ParseContext {
            sql_mode: SqlMode::from_bits(mode),
            default_schema: "d".to_owned(),
            server: Some(server),
        };
        if let Ok(text) = query.text()
            && let Ok(statement) = parse(&text, &context)
        {
            prop_assert_eq!(statement.splice(|_| None), text);
        }
    }
}
