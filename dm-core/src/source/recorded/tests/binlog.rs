//! Binlog files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fixture;
use crate::config::BinlogFiles;
use crate::error::Result;
use crate::event::SourceId;
use crate::position::{Flavor, GtidSet, Position};
use crate::source::recorded::{RecordedOptions, RecordedSource};
use crate::source::{Body, Polled, Source, SourceEvent};

const PATIENCE: Duration = Duration::from_secs(30);

fn source(binlog: BinlogFiles, use_gtid: bool) -> RecordedSource {
    RecordedSource::new(
        SourceId::new("s"),
        RecordedOptions { binlog: Some(binlog), use_gtid, ..RecordedOptions::default() },
    )
}

fn recorded(shop: &str) -> BinlogFiles {
    BinlogFiles::Dir(fixture(&format!("quickstart/{shop}/binlog")))
}

/// Everything that a stream tells until its end.
fn follow(source: &RecordedSource, from: &Position) -> Result<Vec<SourceEvent>> {
    let mut stream = source.open(from)?;
    let mut events = Vec::new();
    loop {
        match stream.poll(PATIENCE)? {
            Polled::Event(event) => events.push(*event),
            Polled::End => {
                assert!(matches!(stream.poll(PATIENCE)?, Polled::End), "the end stays");
                return Ok(events);
            }
            Polled::Idle => panic!("nothing came in time"),
        }
    }
}

fn printed(events: &[SourceEvent]) -> Vec<String> {
    events.iter().map(|e| format!("{} {} {:?}", e.start, e.end, e.body)).collect()
}

fn files(shop: &str) -> Vec<PathBuf> {
    let dir = fixture(&format!("quickstart/{shop}/binlog"));
    ["shop.000002", "shop.000003"].map(|f| dir.join(f)).to_vec()
}

#[test]
fn a_stream_goes_on_at_every_group_by_file_and_by_gtid() {
    for (shop, flavor) in [("eu", Flavor::MySql), ("us", Flavor::MariaDb)] {
        let by_file = source(recorded(shop), false);
        assert_eq!(by_file.info().unwrap().flavor, flavor);
        let start = by_file.default_start().unwrap();
        let all = follow(&by_file, &start).unwrap();
        let by_gtid = source(recorded(shop), true);
        let mut executed = by_gtid.default_start().unwrap().gtid.unwrap();
        assert!(!executed.is_empty(), "what came before the first file");
        let mut groups = 0;
        for (at, event) in all.iter().enumerate() {
            let Body::Gtid { gtid, .. } = &event.body else { continue };
            groups += 1;
            let rest = printed(&all[at..]);
            let from = Position::at(event.start.clone());
            assert_eq!(printed(&follow(&by_file, &from).unwrap()), rest, "{shop} {from}");
            let told = follow(&by_gtid, &Position::of_gtid(executed.clone())).unwrap();
            let behind: Vec<_> =
                told.into_iter().filter(|e| !matches!(e.body, Body::Rotate)).collect();
            let wanted: Vec<_> =
                all[at..].iter().filter(|e| !matches!(e.body, Body::Rotate)).cloned().collect();
            assert_eq!(printed(&behind), printed(&wanted), "{shop} {executed}");
            executed.add(gtid.as_ref().unwrap()).unwrap();
        }
        assert!(groups > 8, "{shop} has {groups} groups");
        let end = by_file.end_position().unwrap();
        assert!(follow(&by_file, &end).unwrap().is_empty());
    }
}

#[test]
fn a_file_cut_off_anywhere_ends_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.000003");
    let bytes = std::fs::read(&files("us")[1]).unwrap();
    let mut seen = 0;
    for cut in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let source = source(BinlogFiles::Files(vec![path.clone()]), false);
        let start = Position::at("shop.000003:4".parse().unwrap());
        match follow(&source, &start) {
            Ok(events) => {
                assert!(events.len() >= seen, "cut at {cut}");
                seen = events.len();
            }
            // Without its description nothing of a file can be read.
            Err(error) => assert!(seen == 0 && error.code().number == 11_038, "{cut}: {error}"),
        }
    }
    assert!(seen > 5);
}

#[test]
fn damage_is_an_error_and_no_other_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.000003");
    let bytes = std::fs::read(&files("us")[1]).unwrap();
    let source = source(BinlogFiles::Files(vec![path.clone()]), false);
    let start = Position::at("shop.000003:4".parse().unwrap());
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        std::fs::write(&path, &damaged).unwrap();
        match follow(&source, &start) {
            Err(error) => assert!(!error.is_transient(), "{at}: {error}"),
            // A length that grew beyond the end looks like a file that was cut off there.
            Ok(events) => assert!(events.len() < 20, "{at}: {} events", events.len()),
        }
    }
}

#[test]
fn files_that_lack_are_missed() {
    let number = |files: Vec<PathBuf>, from: &str| {
        let source = source(BinlogFiles::Files(files), false);
        follow(&source, &Position::at(from.parse().unwrap())).unwrap_err().code().number
    };
    let [two, three] = files("eu").try_into().unwrap();
    let reversed = vec![three.clone(), two.clone()];
    assert_eq!(number(reversed, "shop.000002:4"), 61_003);
    assert_eq!(number(vec![three.clone()], "shop.000002:4"), 61_003);
    assert_eq!(number(vec![two.clone()], "shop.000003:4"), 61_004);
    assert_eq!(number(vec![two.clone()], "shop.000002:99999999"), 61_004);
    assert_eq!(number(vec![Path::new("shop.000009").to_owned()], "shop.000009:4"), 11_038);
    assert_eq!(number(vec![], "shop.000009:4"), 61_003);
    let only = source(BinlogFiles::Files(vec![three]), true);
    let error = only.open(&Position::of_gtid(GtidSet::empty(Flavor::MySql))).err().unwrap();
    assert_eq!(error.code().number, 61_003);
    assert_eq!(only.open(&Position::default()).err().unwrap().code().number, 11_123);
}

#[test]
fn a_file_in_the_middle_may_not_be_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    for (file, keep) in files("us").iter().zip([1000, usize::MAX]) {
        let bytes = std::fs::read(file).unwrap();
        let path = dir.path().join(file.file_name().unwrap());
        std::fs::write(path, &bytes[..keep.min(bytes.len())]).unwrap();
    }
    std::fs::write(dir.path().join("shop.index"), "").unwrap();
    let source = source(BinlogFiles::Dir(dir.path().to_owned()), false);
    let error = follow(&source, &source.default_start().unwrap()).unwrap_err();
    assert_eq!(error.code().number, 11_038);
    assert!(error.message().contains("cut off"), "{error}");
}
