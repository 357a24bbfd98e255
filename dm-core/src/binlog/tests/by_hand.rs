//! Events that no recorded file has, made by hand after the servers' documentation.

use dm_filter::{RowOp, TableName, Value};

use super::sql::{column, primary_key};
use crate::binlog::*;
use crate::position::{Flavor, MySqlGtidSet};
use crate::schema::{ColumnType, TableSchema, TypeKind};

/// An event without a checksum.
fn event(event_type: EventType, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x10, 0, 0, 0x60, event_type.0, 9, 0, 0, 0];
    bytes.extend((19 + body.len() as u32).to_le_bytes());
    bytes.extend(1000u32.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(body);
    bytes
}

fn sealed(mut event: Vec<u8>) -> Vec<u8> {
    let length = (event.len() + 4) as u32;
    event[9..13].copy_from_slice(&length.to_le_bytes());
    let crc = crc32fast::hash(&event);
    event.extend(crc.to_le_bytes());
    event
}

fn format_description(version: &str, tail: &[u8]) -> Vec<u8> {
    let mut body = vec![4, 0];
    let mut text = version.as_bytes().to_vec();
    text.resize(50, 0);
    body.extend(text);
    body.extend([0, 0, 0, 0, 19]);
    body.extend([8u8; 40]);
    body.extend(tail);
    event(EventType::FORMAT_DESCRIPTION, 0, &body)
}

fn decode_mysql(bytes: &[u8]) -> EventBody<'_> {
    Decoder::new(Flavor::MySql).decode(bytes).unwrap().body
}

#[test]
fn checksums_come_and_go_with_the_format() {
    let plain = event(EventType::XID, 0, &7u64.to_le_bytes());
    let with_crc = sealed(plain.clone());
    let mut decoder = Decoder::new(Flavor::MySql);
    // Old servers have no place for a checksum at all.
    decoder.decode(&format_description("5.5.62-log", &[])).unwrap();
    assert!(matches!(decoder.decode(&plain).unwrap().body, EventBody::Xid(7)));
    // No checksums, but the place for them.
    decoder.decode(&format_description("8.0.36", &[0, 1, 2, 3, 4])).unwrap();
    assert!(matches!(decoder.decode(&plain).unwrap().body, EventBody::Xid(7)));
    // The next file has some.
    let format = sealed(format_description("10.11.6-MariaDB-log", &[1]));
    let described = decoder.decode(&format).unwrap().body;
    let EventBody::FormatDescription(described) = described else { panic!("{described:?}") };
    assert_eq!(described.checksum, Checksum::Crc32);
    assert_eq!(described.server_version, "10.11.6-MariaDB-log");
    assert!(matches!(decoder.decode(&with_crc).unwrap().body, EventBody::Xid(7)));
    let error = decoder.decode(&plain).unwrap_err();
    assert_eq!(error.code().number, 36901);
}

#[test]
fn the_first_rotate_of_a_stream_may_have_a_checksum() {
    let mut body = 4u64.to_le_bytes().to_vec();
    body.extend(b"binlog.000001");
    let plain = event(EventType::ROTATE, EventHeader::FLAG_ARTIFICIAL, &body);
    for bytes in [plain.clone(), sealed(plain)] {
        for format in [None, Some(sealed(format_description("8.4.0", &[1])))] {
            let mut decoder = Decoder::for_stream(Flavor::MariaDb);
            if let Some(format) = &format {
                decoder.decode(format).unwrap();
            }
            let EventBody::Rotate(rotate) = decoder.decode(&bytes).unwrap().body else { panic!() };
            assert_eq!(rotate, Rotate { file: "binlog.000001".into(), position: 4 });
        }
    }
}

#[test]
fn heartbeats_of_both_versions() {
    let old = event(EventType::HEARTBEAT, 0, b"binlog.000007");
    let EventBody::Heartbeat(heartbeat) = decode_mysql(&old) else { panic!() };
    assert_eq!(heartbeat, Heartbeat { file: "binlog.000007".into(), position: 1000 });

    let mut body = vec![1, 13];
    body.extend(b"binlog.000007");
    body.extend([2, 9, 0xFE]);
    body.extend(5_000_000_000u64.to_le_bytes());
    body.extend([9, 1, 0xFF, 0]);
    let new = event(EventType::HEARTBEAT_V2, 0, &body);
    let EventBody::Heartbeat(heartbeat) = decode_mysql(&new) else { panic!() };
    assert_eq!(heartbeat.position, 5_000_000_000);
    assert_eq!(heartbeat.file, "binlog.000007");
}

#[test]
fn transactions_of_old_servers() {
    let mut body = vec![1];
    body.extend(1u8..=16);
    body.extend(42i64.to_le_bytes());
    let bytes = event(EventType::GTID, 0, &body);
    let EventBody::Gtid(gtid) = decode_mysql(&bytes) else { panic!() };
    let text = "01020304-0506-0708-090a-0b0c0d0e0f10:42";
    assert_eq!(gtid.gtid.unwrap().to_string(), text);
    assert!(gtid.may_have_sbr && gtid.sequence_number == 0 && gtid.transaction_length == 0);

    // With the logical clock, both times, a length and both versions.
    body.push(2);
    body.extend(5i64.to_le_bytes());
    body.extend(6i64.to_le_bytes());
    body.extend(&((1u64 << 55) | 1_000_001).to_le_bytes()[..7]);
    body.extend(&900_000u64.to_le_bytes()[..7]);
    body.extend([0xFC, 0x10, 0x01]);
    body.extend((80_036u32 | 1 << 31).to_le_bytes());
    body.extend(50_744u32.to_le_bytes());
    let bytes = event(EventType::ANONYMOUS_GTID, 0, &body);
    let EventBody::Gtid(gtid) = decode_mysql(&bytes) else { panic!() };
    assert_eq!(gtid.gtid, None);
    assert_eq!((gtid.last_committed, gtid.sequence_number), (5, 6));
    assert_eq!(gtid.immediate_commit_timestamp, 1_000_001);
    assert_eq!(gtid.original_commit_timestamp, 900_000);
    assert_eq!(gtid.transaction_length, 0x110);
    assert_eq!((gtid.immediate_server_version, gtid.original_server_version), (80_036, 50_744));
}

#[test]
fn mariadb_groups_with_all_their_parts() {
    let mut body = 77u64.to_le_bytes().to_vec();
    body.extend(3u32.to_le_bytes());
    let flags = MariaDbGtidEvent::FL_GROUP_COMMIT_ID | MariaDbGtidEvent::FL_PREPARED_XA;
    body.push(flags);
    body.extend(99u64.to_le_bytes());
    body.extend([1, 0, 0, 0, 2, 1]);
    body.extend(b"ghb");
    body.push(4);
    body.extend(76u64.to_le_bytes());
    let bytes = event(EventType::MARIADB_GTID, 0, &body);
    let decoded = Decoder::new(Flavor::MariaDb).decode(&bytes).unwrap().body;
    let EventBody::MariaDbGtid(group) = decoded else { panic!() };
    assert_eq!(group.gtid.to_string(), "3-9-77");
    let alter = (group.alter, group.alter_start);
    assert_eq!((group.commit_id, alter), (Some(99), (Some(AlterHalf::Happened), Some(76))));
    assert_eq!(group.xid.as_ref().unwrap().to_string(), "X'6768',X'62',1");
    assert!(group.has(flags) && !group.has(MariaDbGtidEvent::FL_DDL));

    let mut body = 2u32.to_le_bytes().to_vec();
    for (domain, server, seq) in [(0u32, 2u32, 50u64), (0, 1, 40)] {
        body.extend(domain.to_le_bytes());
        body.extend(server.to_le_bytes());
        body.extend(seq.to_le_bytes());
    }
    let bytes = event(EventType::MARIADB_GTID_LIST, 0, &body);
    let decoded = Decoder::new(Flavor::MariaDb).decode(&bytes).unwrap().body;
    let EventBody::GtidList(list) = decoded else { panic!() };
    assert_eq!(list.to_string(), "0-1-40");
}

#[test]
fn what_may_be_skipped_and_what_may_not() {
    let unknown = EventType(200);
    let skipped = event(unknown, EventHeader::FLAG_IGNORABLE, b"new");
    assert!(matches!(decode_mysql(&skipped), EventBody::Ignored));
    let bytes = event(unknown, 0, b"new");
    let error = Decoder::new(Flavor::MySql).decode(&bytes).unwrap_err();
    assert_eq!(error.code().number, 36016);
    let encryption = event(EventType::MARIADB_START_ENCRYPTION, 0, &[1; 17]);
    let error = Decoder::new(Flavor::MariaDb).decode(&encryption).unwrap_err();
    assert_eq!(error.code().number, 36902);
    let streamed = Decoder::for_stream(Flavor::MariaDb).decode(&encryption).unwrap().body;
    assert!(matches!(streamed, EventBody::Ignored));
    let bytes = event(EventType::INCIDENT, 0, b"\x01\x00\x04lost");
    let EventBody::Incident(incident) = decode_mysql(&bytes) else { panic!() };
    assert_eq!((incident.number, &*incident.message), (1, "lost"));
}

#[test]
fn statements_carry_their_session() {
    let mut vars = vec![0];
    vars.extend(QueryVars::NO_FOREIGN_KEY_CHECKS.to_le_bytes());
    vars.extend([1, 4, 0, 0, 0, 0, 0, 0, 0]);
    vars.extend([6, 3]);
    vars.extend(b"std");
    vars.extend([3, 2, 0, 1, 0]);
    vars.extend([4, 28, 0, 28, 0, 255, 0]);
    vars.extend([5, 6]);
    vars.extend(b"+05:30");
    vars.extend([7, 4, 0, 8, 28, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0]);
    vars.extend([12, 2]);
    vars.extend(b"a\0b\0");
    vars.extend([13, 0x40, 0xE2, 0x01, 16, 1, 17, 8, 0, 0, 0, 0, 0, 0, 0, 18, 45, 0, 19, 1, 20, 0]);
    vars.extend([99, 1, 2]);
    let mut body = 5u32.to_le_bytes().to_vec();
    body.extend([1, 0, 0, 0, 1, 0x26, 0x04]);
    body.extend((vars.len() as u16).to_le_bytes());
    body.extend(&vars);
    body.extend(b"s\0CREATE TABLE `\xd6\xd0` (a INT)");
    let bytes = event(EventType::QUERY, 0, &body);
    let EventBody::Query(query) = decode_mysql(&bytes) else { panic!() };
    assert_eq!(query.text().unwrap(), "CREATE TABLE `中` (a INT)");
    assert_eq!((query.thread_id, query.error_code, &*query.schema), (5, 0x426, "s"));
    let vars = &query.vars;
    assert!(!vars.foreign_key_checks());
    assert_eq!(vars.sql_mode, Some(4));
    assert_eq!(vars.time_zone.as_deref(), Some("+05:30"));
    assert_eq!(vars.updated_schemas.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
    assert_eq!((vars.microseconds, vars.ddl_xid), (Some(123_456), Some(8)));
    assert_eq!(vars.default_collation_for_utf8mb4, Some(45));
    assert_eq!(vars.sql_require_primary_key, Some(true));
    assert_eq!(vars.default_table_encryption, Some(false));
    // Schema lengths and text stay inside the event.
    assert!(Decoder::new(Flavor::MySql).decode(&event(EventType::QUERY, 0, &body[..20])).is_err());
}

#[test]
fn previous_gtids_with_tags() {
    let text = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3:t:7";
    let set: MySqlGtidSet = text.parse().unwrap();
    let bytes = event(EventType::PREVIOUS_GTIDS, 0, &set.encode());
    let EventBody::PreviousGtids(decoded) = decode_mysql(&bytes) else { panic!() };
    assert_eq!(decoded.to_string(), text);
}

/// A table map of these types and metadata, all columns nullable.
fn table_map(types: &[u8], meta: &[u8], nulls: u8, optional: &[u8]) -> Vec<u8> {
    let mut body = vec![5, 0, 0, 0, 0, 0, 1, 0, 1, b's', 0, 1, b't', 0];
    body.push(types.len() as u8);
    body.extend(types);
    body.push(meta.len() as u8);
    body.extend(meta);
    body.push(nulls);
    body.extend(optional);
    event(EventType::TABLE_MAP, 0, &body)
}

fn schema(columns: &[(&str, TypeKind)], key: bool) -> TableSchema {
    let column = |(name, kind): &(&str, TypeKind)| column(name, ColumnType::new(*kind));
    TableSchema {
        columns: columns.iter().map(column).collect(),
        keys: key.then(|| primary_key("a")).into_iter().collect(),
        charset: "utf8mb4".to_owned(),
        ..TableSchema::default()
    }
}

fn map_of(bytes: &[u8]) -> std::sync::Arc<TableMap> {
    let EventBody::TableMap(map) = decode_mysql(bytes) else { panic!() };
    map
}

#[test]
fn temporal_columns_of_old_tables() {
    let mut decoder = Decoder::new(Flavor::MySql);
    let bytes = table_map(&[11, 12, 7, 9, 13], &[], 0xFF, &[]);
    let EventBody::TableMap(map) = decoder.decode(&bytes).unwrap().body else { panic!() };
    assert_eq!(map.table, TableName::new("s", "t"));
    use TypeKind as K;
    let columns = [
        ("t", K::Time),
        ("d", K::DateTime),
        ("s", K::Timestamp),
        ("m", K::MediumInt),
        ("y", K::Year),
    ];
    let plan = DecodePlan::compile(&map, Some(&schema(&columns, true))).unwrap();
    let mut body = vec![5, 0, 0, 0, 0, 0, 1, 0, 5, 0xFF, 0];
    body.extend(&(-8_385_959i32).to_le_bytes()[..3]);
    body.extend(20_240_229_123_456u64.to_le_bytes());
    body.extend(1_700_000_000u32.to_le_bytes());
    body.extend(&(-8_388_608i32).to_le_bytes()[..3]);
    body.push(0);
    let bytes = event(EventType::WRITE_ROWS_V1, 0, &body);
    let EventBody::Rows(rows) = decoder.decode(&bytes).unwrap().body else { panic!() };
    assert!(rows.is_statement_end());
    let all: Vec<_> = rows.rows(&plan).unwrap().map(Result::unwrap).collect();
    let [RowOp::Insert { after }] = &all[..] else { panic!("{all:?}") };
    let Some(Value::Time(time)) = after.get(0) else { panic!() };
    assert!(time.negative && (time.hours, time.minutes, time.seconds) == (838, 59, 59));
    let Some(Value::DateTime(at)) = after.get(1) else { panic!() };
    assert_eq!((at.date.year, at.hour, at.second), (2024, 12, 56));
    let Some(Value::Timestamp(at)) = after.get(2) else { panic!() };
    assert_eq!(at.seconds, 1_700_000_000);
    assert_eq!(after.get(3), Some(&Value::Int(-8_388_608)));
    assert_eq!(after.get(4), Some(&Value::Year(0)));
}

#[test]
fn structures_that_do_not_fit_are_errors_with_both_sides() {
    use TypeKind as K;
    // INT, VARCHAR(40); with metadata: signed.
    let map = map_of(&table_map(&[3, 15], &[40, 0], 0xFF, &[1, 1, 0]));
    let compile = |columns: &[_]| DecodePlan::compile(&map, Some(&schema(columns, true)));
    assert!(compile(&[("a", K::Int), ("b", K::VarChar)]).is_ok());
    for columns in [
        &[("a", K::Int)][..],
        &[("a", K::BigInt), ("b", K::VarChar)],
        &[("b", K::VarChar), ("a", K::Int)],
        &[("a", K::Int), ("b", K::VarChar), ("c", K::Int)],
    ] {
        let error = compile(columns).unwrap_err();
        assert_eq!(error.code().number, 36027);
        assert!(error.message().contains("int, varchar of 40 bytes;"), "{error}");
        assert!(error.message().contains(columns[0].0), "{error}");
    }
    let mut unsigned = schema(&[("a", K::Int), ("b", K::VarChar)], true);
    unsigned.columns[0].ty.unsigned = true;
    assert!(DecodePlan::compile(&map, Some(&unsigned)).is_err());
    assert!(DecodePlan::compile(&map, None).is_err());
    // Names that are logged have to be the tracked ones.
    let named = map_of(&table_map(&[3, 15], &[40, 0], 0xFF, &[4, 4, 1, b'A', 1, b'x']));
    let compile =
        |b| DecodePlan::compile(&named, Some(&schema(&[("a", K::Int), (b, K::VarChar)], true)));
    assert!(compile("X").is_ok() && compile("b").is_err());
}

#[test]
fn hidden_keys_are_recognised_where_there_can_be_no_doubt() {
    use TypeKind as K;
    let hidden = |types: &[u8], nulls: u8, columns: &[_], key: bool| {
        let map = map_of(&table_map(types, &[], nulls, &[]));
        DecodePlan::compile(&map, Some(&schema(columns, key)))
            .map(|plan| plan.hidden().first().map(|h| (h.index, h.kind)))
            .map_err(|e| e.code().number)
    };
    let ab = [("a", K::Int), ("b", K::TinyInt)];
    let cloud = Some((2, HiddenKind::CloudRowId));
    let generated = Some((0, HiddenKind::GeneratedInvisiblePrimaryKey));
    assert_eq!(hidden(&[3, 1, 8], 0b011, &ab, false), Ok(cloud));
    assert_eq!(hidden(&[8, 3, 1], 0b110, &ab, false), Ok(generated));
    // Nullable, a table with a key, both ends possible, or of another type: a mismatch.
    assert_eq!(hidden(&[3, 1, 8], 0b111, &ab, false), Err(36027));
    assert_eq!(hidden(&[3, 1, 8], 0b011, &ab, true), Err(36027));
    assert_eq!(hidden(&[8, 8], 0, &[("a", K::BigInt)], false), Err(36027));
    assert_eq!(hidden(&[3, 1, 3], 0b011, &ab, false), Err(36027));
}

#[test]
fn names_alone_tell_hashes() {
    let mut names = vec![4, 16, 1, b'a', 13];
    names.extend(b"DB_ROW_HASH_1");
    names[1] = names.len() as u8 - 2;
    let bytes = table_map(&[3, 8], &[], 0b10, &names);
    let EventBody::TableMap(map) = Decoder::new(Flavor::MariaDb).decode(&bytes).unwrap().body
    else {
        panic!()
    };
    let plan = DecodePlan::compile(&map, None).unwrap();
    assert_eq!(plan.columns().len(), 1);
    assert_eq!(plan.hidden()[0].kind, HiddenKind::UniqueHash);
    // For MySQL it is a column like any other.
    assert_eq!(DecodePlan::compile(&map_of(&bytes), None).unwrap().columns().len(), 2);
}

#[test]
fn hidden_periods_are_never_taken_for_granted() {
    use TypeKind as K;
    let map = |wire| map_of(&table_map(&[3, 17, wire], &[6, 6], 0b001, &[]));
    let tracked = schema(&[("a", K::Int)], true);
    let error = DecodePlan::compile(&map(17), Some(&tracked)).unwrap_err();
    assert_eq!(error.code().number, 36027);
    let versioned =
        |wire| DecodePlan::compile_versioned(&map(wire), &tracked, SystemVersioning::Hidden);
    assert_eq!(versioned(17).unwrap().hidden().len(), 2);
    assert!(
        DecodePlan::compile_versioned(&map(17), &tracked, SystemVersioning::EndColumn("b"))
            .is_err()
    );
    let map = map_of(&table_map(&[3, 17, 3], &[6], 0b001, &[]));
    let wrong = DecodePlan::compile_versioned(&map, &tracked, SystemVersioning::Hidden);
    assert_eq!(wrong.unwrap_err().code().number, 36027);
}

#[test]
fn partial_json_without_the_document_is_an_error() {
    let mut decoder = Decoder::new(Flavor::MySql);
    let bytes = table_map(&[3, 245], &[4], 0xFF, &[]);
    let EventBody::TableMap(map) = decoder.decode(&bytes).unwrap().body else { panic!() };
    let columns = [("a", TypeKind::Int), ("j", TypeKind::Json)];
    let plan = DecodePlan::compile(&map, Some(&schema(&columns, true))).unwrap();
    // Before: only `a`; after: only `j`, in part: remove $.x.
    let mut body = vec![5, 0, 0, 0, 0, 0, 1, 0, 2, 0, 2, 0b01, 0b10];
    body.extend([0, 7, 0, 0, 0]);
    body.extend([1, 1, 0, 5, 0, 0, 0, 2, 3]);
    body.extend(b"$.x");
    let bytes = event(EventType::PARTIAL_UPDATE_ROWS, 0, &body);
    let EventBody::Rows(rows) = decoder.decode(&bytes).unwrap().body else { panic!() };
    let error = rows.rows(&plan).unwrap().next().unwrap().unwrap_err();
    assert_eq!(error.code().number, 36903);
    assert!(error.message().contains("`s`.`t`"), "{error}");
}

#[test]
fn very_old_servers_number_tables_in_four_bytes() {
    let mut lengths = [8u8; 40];
    lengths[usize::from(EventType::TABLE_MAP.0) - 1] = 6;
    let mut format = format_description("5.1.4", &[]);
    format[19 + 57..].copy_from_slice(&lengths);
    let mut decoder = Decoder::new(Flavor::MySql);
    decoder.decode(&format).unwrap();
    let body = [9, 0, 0, 0, 1, 0, 1, b's', 0, 1, b't', 0, 1, 3, 0, 1];
    let bytes = event(EventType::TABLE_MAP, 0, &body);
    let EventBody::TableMap(map) = decoder.decode(&bytes).unwrap().body else { panic!() };
    assert_eq!((map.id, map.table.to_string().as_str()), (9, "`s`.`t`"));
    assert!(decoder.table(9).is_some());
}

#[test]
fn what_workers_share_can_be_sent() {
    fn sendable<T: Send + Sync + 'static>() {}
    sendable::<RowsEvent<'static>>();
    sendable::<Event<'static>>();
    sendable::<DecodePlan>();
    sendable::<TableMap>();
}
