//! Files that are cut, flipped or made of noise: errors and clean ends, never a panic.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use crate::binlog::json::JsonDiffs;
use crate::binlog::*;
use crate::position::Flavor;
use crate::{Error, Result};

/// A small file with rows, text, JSON and statements.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| super::read("mysql97-events", "binlog.000001"));

/// Events, each with its last four bytes, the checksum.
fn events(file: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = FileReader::open(file).unwrap().unwrap();
    let mut all = Vec::new();
    while let Framed::Event { bytes, .. } = reader.next_event().unwrap() {
        all.push(bytes.to_vec());
    }
    all
}

/// Decodes everything in a file that can be decoded, rows too.
fn decode_all(file: &[u8], flavor: Flavor) -> Result<(usize, Option<u64>)> {
    let mut decoder = Decoder::new(flavor);
    let Some(mut reader) = FileReader::open(file)? else { return Ok((0, Some(0))) };
    let mut count = 0;
    loop {
        match reader.next_event()? {
            Framed::End => return Ok((count, None)),
            Framed::Torn { good } => return Ok((count, Some(good))),
            Framed::Event { bytes, .. } => {
                let event = decoder.decode(bytes)?;
                use_event(&event.body, &mut decoder)?;
                count += 1;
            }
        }
    }
}

/// Does with an event all that can be done with it.
fn use_event(body: &EventBody<'_>, decoder: &mut Decoder) -> Result<()> {
    match body {
        EventBody::Query(query) => drop(query.text()),
        EventBody::Rows(rows) => use_rows(rows)?,
        EventBody::TransactionPayload(payload) => {
            let mut inner = payload.events()?;
            let mut unpacked = 0;
            while let Some(event) = inner.next_event(decoder)? {
                if let EventBody::Rows(rows) = event.body {
                    use_rows(&rows)?;
                }
                unpacked += 1;
                assert!(unpacked < 10_000);
            }
        }
        _ => {}
    }
    Ok(())
}

fn use_rows(rows: &RowsEvent<'_>) -> Result<()> {
    let mut map = (*rows.table).clone();
    for (i, column) in map.columns.iter_mut().enumerate() {
        column.name = Some(format!("c{i}"));
    }
    let plan = DecodePlan::compile(&map, None)?;
    let mut count = 0;
    for row in rows.rows(&plan)? {
        row?;
        count += 1;
    }
    assert!(count <= rows.byte_len() + 1);
    Ok(())
}

#[test]
fn a_file_cut_anywhere_ends_cleanly() {
    let file = &*FILE;
    let whole = decode_all(file, Flavor::MySql).unwrap();
    assert_eq!(whole, (events(file).len(), None));
    let mut ends = vec![4u64];
    events(file).iter().for_each(|e| ends.push(ends[ends.len() - 1] + e.len() as u64));
    for cut in 0..file.len() {
        let (count, torn) = decode_all(&file[..cut], Flavor::MySql).unwrap();
        let before = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1);
        assert_eq!(count, before, "cut at {cut}");
        let at_end = ends.contains(&(cut as u64));
        let expected = if cut < 4 { Some(0) } else { (!at_end).then(|| ends[before]) };
        assert_eq!(torn, expected, "cut at {cut}");
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let file = &*FILE;
    let mut found = 0;
    // Lengths are covered by the framing; everything else by checksums.
    for at in (4..file.len()).step_by(7) {
        let mut broken = file.clone();
        broken[at] ^= 1 << (at % 8);
        let result = decode_all(&broken, Flavor::MySql);
        let clean = matches!(result, Ok((_, None)));
        assert!(!clean, "a flipped bit at {at} was not found");
        found += usize::from(result.is_err_and(|e| e.code().number == 36901));
    }
    assert!(found > file.len() / 9, "{found}");
}

#[test]
fn the_flag_of_an_open_file_is_not_part_of_its_checksum() {
    let mut file = FILE.clone();
    file[4 + 17] |= 1;
    assert!(decode_all(&file, Flavor::MySql).is_ok());
}

/// Puts the right checksum behind an event.
fn reseal(event: &mut Vec<u8>) {
    event.truncate(event.len() - 4);
    let length = (event.len() + 4) as u32;
    event[9..13].copy_from_slice(&length.to_le_bytes());
    let crc = crc32fast::hash(event);
    event.extend(crc.to_le_bytes());
}

/// Files whose events are decoded with changed bytes behind right checksums.
static CASES: LazyLock<Vec<(Flavor, Vec<Vec<u8>>)>> = LazyLock::new(|| {
    let case = |name, flavor| (flavor, events(&super::read(name, "binlog.000001")));
    let mut cases = vec![
        case("mysql97-events", Flavor::MySql),
        case("mysql97-json-text", Flavor::MySql),
        case("mysql97-full-fullmeta", Flavor::MySql),
        case("mysql97-zstd", Flavor::MySql),
        case("mariadb1011-events", Flavor::MariaDb),
        case("mariadb1011-compress", Flavor::MariaDb),
    ];
    for (_, events) in &mut cases {
        events.retain(|e| e.len() < 20_000);
    }
    cases
});

proptest! {
    #![proptest_config(crate::testing::model::few(48))]

    #[test]
    fn changed_events_are_answered(
        case in 0usize..6,
        skip in 0usize..40,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (flavor, events) = &CASES[case];
        let mut decoder = Decoder::new(*flavor);
        decoder.decode(&events[0]).unwrap();
        for event in events.iter().skip(1 + skip).take(24) {
            let mut event = event.clone();
            for (at, byte) in &changes {
                let at = 19 + at.index(event.len().saturating_sub(23).max(1));
                if let Some(slot) = event.get_mut(at) {
                    *slot = *byte;
                }
            }
            if let Some(cut) = cut {
                event.truncate(23 + cut.index(event.len() - 22));
            }
            reseal(&mut event);
            let _ = decoder.decode(&event).and_then(|event| {
                use_event(&event.body, &mut Decoder::new(*flavor))
            });
        }
    }

    #[test]
    fn noise_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in any::<u8>()) {
        let mut file = MAGIC.to_vec();
        file.extend(&bytes);
        let _ = decode_all(&file, Flavor::MySql);
        for flavor in [Flavor::MySql, Flavor::MariaDb] {
            let mut event = vec![0, 0, 0, 0, kind, 1, 0, 0, 0];
            event.extend((19 + bytes.len() as u32).to_le_bytes());
            event.extend([0; 6]);
            event.extend(&bytes);
            let mut decoder = Decoder::new(flavor);
            if let Ok(event) = decoder.decode(&event) {
                let _ = use_event(&event.body, &mut Decoder::new(flavor));
            }
        }
    }

    #[test]
    fn noise_is_no_json_for_long(
        head in 0u8..16,
        bytes in prop::collection::vec(0u8..20, 0..300),
        diffs in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut document = vec![head];
        document.extend(&bytes);
        if let Ok(json) = json_text(&document) {
            // Escapes, base64 and decimals grow, but only so much.
            prop_assert!(json.text.len() <= 64 * document.len() + 64);
        }
        if let Ok(diffs) = JsonDiffs::parse(&diffs) {
            let _ = json::apply(&document, &diffs);
        }
    }
}

/// An array whose two members are both the array itself.
#[test]
fn documents_that_hold_themselves_end() {
    let document = [2, 2, 0, 10, 0, 2, 0, 0, 2, 0, 0];
    let error = json_text(&document).unwrap_err();
    assert_eq!(error.code().number, 36064);
    // Many levels, each of which names the next one twice: an exponential number of leaves.
    let levels = 60usize;
    let mut document = vec![2];
    let total = levels * 10;
    for level in 0..levels {
        let size = (total - level * 10) as u16;
        document.extend([2, 0]);
        document.extend(size.to_le_bytes());
        for _ in 0..2 {
            document.extend([2, 10, 0]);
        }
    }
    document.truncate(1 + total);
    assert!(json_text(&document).is_err());
}

#[test]
fn errors_say_which_event() {
    let mut decoder = Decoder::new(Flavor::MySql);
    let events = events(&FILE);
    decoder.decode(&events[0]).unwrap();
    let rows = events.iter().find(|e| e[4] == EventType::WRITE_ROWS.0).unwrap();
    let error: Error = decoder.decode(rows).unwrap_err();
    assert!(error.message().contains("WRITE_ROWS(30)"), "{error}");
    assert!(error.message().contains("table number"), "{error}");
}

#[test]
fn a_table_map_that_comes_again_is_shared() {
    let mut decoder = Decoder::new(Flavor::MySql);
    let mut maps: Vec<Arc<TableMap>> = Vec::new();
    for event in events(&FILE) {
        if let EventBody::TableMap(map) = decoder.decode(&event).unwrap().body {
            maps.push(map);
        }
    }
    let first: Vec<_> = maps.iter().filter(|m| m.table.table == "ev").collect();
    assert!(first.len() > 2);
    assert!(first.iter().all(|m| Arc::ptr_eq(m, first[0])));
}
