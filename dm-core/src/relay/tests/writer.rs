use std::path::Path;

use super::*;
use crate::binlog::{FileReader, Framed};

/// Recorded files of real servers, each with the flavor.
pub(crate) const FILES: &[(&str, &str, Flavor)] = &[
    ("eu/binlog", "shop.000003", Flavor::MySql),
    ("us/binlog", "shop.000002", Flavor::MariaDb),
    ("us/binlog", "shop.000003", Flavor::MariaDb),
];

pub(crate) fn recorded(dir: &str, name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/quickstart");
    std::fs::read(root.join(dir).join(name)).unwrap()
}

/// The ROTATE that a server begins a stream with.
fn names(file: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, EventType::ROTATE.0, 1, 0, 0, 0];
    bytes.extend((19 + 8 + file.len() as u32).to_le_bytes());
    bytes.extend([0, 0, 0, 0]);
    bytes.extend(EventHeader::FLAG_ARTIFICIAL.to_le_bytes());
    bytes.extend(4_u64.to_le_bytes());
    bytes.extend(file.as_bytes());
    bytes
}

fn heartbeat() -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, EventType::HEARTBEAT.0, 1, 0, 0, 0, 19, 0, 0, 0];
    bytes.extend([0; 6]);
    bytes
}

/// The events of a file with the offset of each.
fn events(file: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut reader = FileReader::open(file).unwrap().unwrap();
    let mut all = Vec::new();
    while let Framed::Event { bytes, start, .. } = reader.next_event().unwrap() {
        all.push((start, bytes.to_vec()));
    }
    all
}

/// Sends a file from an offset as a server does: its name, its description, then what follows.
fn send(writer: &mut Writer, name: &str, file: &[u8], from: u64) {
    writer.reconnect().unwrap();
    writer.event(&names(name)).unwrap();
    for (start, bytes) in events(file) {
        if start == 4 && from > 4 {
            // The description comes again, without a place.
            let mut again = bytes.clone();
            again[13..17].copy_from_slice(&0_u32.to_le_bytes());
            let body = again.len() - 4;
            let crc = crc32fast::hash(&again[..body]);
            again[body..].copy_from_slice(&crc.to_le_bytes());
            writer.event(&again).unwrap();
        }
        if start >= from {
            writer.event(&bytes).unwrap();
            writer.event(&heartbeat()).unwrap();
        }
    }
}

fn begin(flavor: Flavor) -> (tempfile::TempDir, RelayDir, SubDir, Writer) {
    let temp = tempfile::tempdir().unwrap();
    let dir = RelayDir::new(temp.path().join("relay"));
    let sub = dir.begin("server").unwrap();
    let writer = Writer::open(&dir, &sub, flavor, GtidSet::empty(flavor)).unwrap();
    (temp, dir, sub, writer)
}

#[test]
fn files_are_byte_for_byte_those_of_the_server() {
    for (place, name, flavor) in FILES {
        let file = recorded(place, name);
        let (_temp, dir, sub, mut writer) = begin(*flavor);
        assert_eq!(writer.end(), None);
        send(&mut writer, name, &file, 4);
        writer.close().unwrap();
        assert_eq!(std::fs::read(dir.sub(&sub).join(name)).unwrap(), file, "{name}");
        let meta = dir.meta(&sub, *flavor).unwrap().unwrap();
        // A file that ends with the name of the next one is followed by it.
        let pos = meta.pos.unwrap();
        assert!(pos.offset == file.len() as u64 || pos.offset == FIRST, "{pos}");
        assert!(meta.gtid.is_some(), "{name}");
    }
}

#[test]
fn whatever_is_cut_off_is_fetched_again() {
    for (place, name, flavor) in FILES {
        let file = recorded(place, name);
        let (_temp, dir, sub, mut writer) = begin(*flavor);
        send(&mut writer, name, &file, 4);
        writer.close().unwrap();
        let path = dir.sub(&sub).join(name);
        let full = dir.meta(&sub, *flavor).unwrap();
        for cut in (0..file.len()).rev().step_by(file.len() / 23) {
            for (_, other) in dir.files(&sub).unwrap() {
                std::fs::remove_file(other).unwrap();
            }
            std::fs::write(&path, &file[..cut]).unwrap();
            let mut again = Writer::open(&dir, &sub, *flavor, GtidSet::empty(*flavor)).unwrap();
            let from = again.end().unwrap().offset;
            assert!(from <= cut as u64 || from == FIRST);
            send(&mut again, name, &file, from);
            again.close().unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), file, "{name} cut at {cut}");
            assert_eq!(dir.meta(&sub, *flavor).unwrap(), full);
        }
    }
}

#[test]
fn what_the_server_leaves_out_is_filled_up() {
    let (place, name, flavor) = FILES[1];
    let file = recorded(place, name);
    let (_temp, dir, sub, mut writer) = begin(flavor);
    writer.event(&names(name)).unwrap();
    let mut left_out = 0;
    for (_, bytes) in events(&file) {
        if bytes[4] == EventType::MARIADB_ANNOTATE_ROWS.0 {
            left_out += 1;
        } else {
            writer.event(&bytes).unwrap();
        }
    }
    assert!(left_out > 0, "the file has such events");
    writer.close().unwrap();
    let ours = std::fs::read(dir.sub(&sub).join(name)).unwrap();
    assert_eq!(ours.len(), file.len());
    let theirs = events(&file);
    for ((at, ours), (start, theirs)) in events(&ours).iter().zip(&theirs) {
        assert_eq!(at, start);
        let filled = ours[4] == EventType::IGNORABLE.0;
        assert!(filled || ours == theirs, "at {at}");
    }
}

#[test]
fn a_group_that_is_not_whole_is_taken_back() {
    for (place, name, flavor) in FILES {
        let file = recorded(place, name);
        let all = events(&file);
        let (_temp, dir, sub, mut writer) = begin(*flavor);
        writer.event(&names(name)).unwrap();
        for (_, bytes) in &all[..all.len() - 2] {
            writer.event(bytes).unwrap();
        }
        let whole = writer.whole().unwrap().offset;
        writer.reconnect().unwrap();
        assert_eq!(writer.end().unwrap().offset, whole);
        writer.close().unwrap();
        let path = dir.sub(&sub).join(name);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
    }
}

#[test]
fn a_server_that_was_reset_is_noticed_by_the_time_of_its_file() {
    for (place, name, flavor) in FILES {
        let file = recorded(place, name);
        let (_temp, _dir, _sub, mut writer) = begin(*flavor);
        let all = events(&file);
        writer.event(&names(name)).unwrap();
        for (_, bytes) in &all[..4] {
            writer.event(bytes).unwrap();
        }
        writer.reconnect().unwrap();
        writer.event(&names(name)).unwrap();
        let mut other = all[0].1.clone();
        other[0] ^= 1;
        let body = other.len() - 4;
        let crc = crc32fast::hash(&other[..body]);
        other[body..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(writer.event(&other).unwrap_err().code(), &codes::RELAY_OTHER_SERVER);
    }
}

#[test]
fn disorder_is_an_error() {
    let (place, name, flavor) = FILES[0];
    let all = events(&recorded(place, name));
    let (_temp, _dir, _sub, mut writer) = begin(flavor);
    assert!(writer.event(&all[0].1).is_err(), "no file was named");
    writer.event(&names(name)).unwrap();
    writer.event(&all[0].1).unwrap();
    writer.event(&all[1].1).unwrap();
    let again = writer.event(&all[1].1).unwrap_err();
    assert!(again.is_transient(), "{again}");
    let mut bad = all[2].1.clone();
    bad[20] ^= 1;
    assert!(writer.event(&bad).is_err(), "its checksum is wrong");
    // A server that was reset begins its first file once more.
    writer.event(&names("shop.000009")).unwrap();
    let reset = writer.event(&names(name)).unwrap_err();
    assert_eq!(reset.code(), &codes::RELAY_OTHER_SERVER);
}
