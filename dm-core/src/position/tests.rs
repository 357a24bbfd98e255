use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;

const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B: &str = "88328308-e53a-11f1-96b7-02fc00000001";

fn mysql(text: &str) -> GtidSet {
    GtidSet::parse(Flavor::MySql, text).unwrap()
}

fn maria(text: &str) -> GtidSet {
    GtidSet::parse(Flavor::MariaDb, text).unwrap()
}

fn pos(text: &str) -> BinlogPos {
    text.parse().unwrap()
}

#[test]
fn file_names_compare_as_numbers_and_print_as_found() {
    let files = ["a-bin.000003", "a-bin.999999", "a-bin.1000000", "a-bin.9999999999"];
    let parsed: Vec<BinlogFile> = files.iter().map(|f| f.parse().unwrap()).collect();
    for (text, file) in files.iter().zip(&parsed) {
        assert_eq!(file.to_string(), *text);
    }
    assert!(parsed.windows(2).all(|w| w[0] < w[1]));
    assert_eq!(parsed[1].next().to_string(), "a-bin.1000000");
    let other: BinlogFile = "b-bin.000004".parse().unwrap();
    assert_eq!(parsed[0].partial_cmp(&other), None);
    let dotted: BinlogFile = "host.example.000012".parse().unwrap();
    assert_eq!((dotted.base(), dotted.seq()), ("host.example", 12));
    for bad in ["", "x", ".000001", "x.", "x.1a", "x.-1", "x.99999999999999999999999"] {
        assert!(bad.parse::<BinlogFile>().is_err(), "{bad:?}");
    }
}

#[test]
fn relay_numbers_are_kept_and_can_be_taken_off() {
    let file: BinlogFile = "mysql-bin|000002.000003".parse().unwrap();
    assert_eq!(file.to_string(), "mysql-bin|000002.000003");
    assert_eq!((file.base(), file.relay(), file.seq()), ("mysql-bin", Some(2), 3));
    let earlier: BinlogFile = "mysql-bin|000001.000009".parse().unwrap();
    assert!(earlier < file);
    assert_eq!(file.without_relay().to_string(), "mysql-bin.000003");
}

#[test]
fn positions_read_both_forms() {
    let expected = BinlogPos::new(BinlogFile::new("mysql-bin", 3, 6), 5_000_000_000);
    for text in ["(mysql-bin.000003, 5000000000)", "mysql-bin.000003:5000000000"] {
        assert_eq!(pos(text), expected);
    }
    assert_eq!(expected.to_string(), "(mysql-bin.000003, 5000000000)");
    for bad in ["mysql-bin.000003", "(mysql-bin.000003)", "x.1:", "x.1:-4", "(x.1, 4", ":4"] {
        assert!(bad.parse::<BinlogPos>().is_err(), "{bad:?}");
    }
}

#[test]
fn mysql_sets_print_normalised() {
    let set = mysql(&format!(
        " {}:1-3:5 ,\n{A}:7 : 4-5 : Tag_1 : 9:1-2,{A}:6",
        B.to_uppercase().replace('-', "")
    ));
    assert_eq!(set.to_string(), format!("{A}:4-7:tag_1:1-2:9,{B}:1-3:5"));
    assert_eq!(mysql("").to_string(), "");
    let bad =
        ["x", A, &format!("{A}:"), &format!("{A}:0"), &format!("{A}:1-"), &format!("{A}:tag")];
    for text in bad {
        assert!(GtidSet::parse(Flavor::MySql, text).is_err(), "{text:?}");
    }
}

#[test]
fn mysql_binary_forms_are_those_of_the_server() {
    let set: MySqlGtidSet = format!("{A}:1-3").parse().unwrap();
    let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(hex("3e11fa4771ca11e19e33c80aa9429562"));
    bytes.extend(hex("010000000000000001000000000000000400000000000000"));
    assert_eq!(set.encode(), bytes);

    let set: MySqlGtidSet = format!("{A}:t:2").parse().unwrap();
    let mut bytes = vec![1, 1, 0, 0, 0, 0, 0, 1];
    bytes.extend(hex("3e11fa4771ca11e19e33c80aa9429562"));
    bytes.extend([2, b't']);
    bytes.extend(hex("010000000000000002000000000000000300000000000000"));
    assert_eq!(set.encode(), bytes);
    for cut in 0..bytes.len() {
        assert!(MySqlGtidSet::decode(&bytes[..cut]).is_err());
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn mariadb_sets_follow_their_domains() {
    let mut set = maria("1-1-5, 0-7-24");
    assert_eq!(set.to_string(), "0-7-24,1-1-5");
    let gtid = |text| Gtid::parse(Flavor::MariaDb, text).unwrap();
    assert!(set.contains(&gtid("0-7-24")) && set.contains(&gtid("0-9-3")));
    assert!(!set.contains(&gtid("0-7-25")) && !set.contains(&gtid("2-1-1")));
    set.add(&gtid("0-8-25")).unwrap();
    assert_eq!(set.to_string(), "0-8-25,1-1-5");
    assert_eq!(set.to_state_text(), "0-7-24,0-8-25,1-1-5");
    assert_eq!(maria(&set.to_state_text()), set);
    // Adding what is in already moves nothing.
    set.add(&gtid("0-7-20")).unwrap();
    assert_eq!(set.to_string(), "0-8-25,1-1-5");
    assert_eq!(maria("0-1-5").partial_cmp(&maria("0-1-6")), Some(Ordering::Less));
    assert_eq!(maria("0-1-5,1-1-1").partial_cmp(&maria("0-1-6")), None);
    for bad in ["1", "1-2", "1-2-3-4", "a-1-1", "-1-1-1", "4294967296-1-1"] {
        assert!(GtidSet::parse(Flavor::MariaDb, bad).is_err(), "{bad:?}");
    }
}

#[test]
fn mariadb_servers_with_numbers_of_their_own_are_told_apart() {
    // Server 2 wrote 50 after server 1 had written 100: not strict, but it happens.
    let set = maria("0-1-100,0-2-50");
    let gtid = |text| Gtid::parse(Flavor::MariaDb, text).unwrap();
    assert_eq!(set.to_string(), "0-2-50");
    assert!(set.contains(&gtid("0-1-100")) && !set.contains(&gtid("0-2-51")));
    assert_eq!(maria("0-2-51,0-1-100").minus(&set).unwrap().to_string(), "0-2-51");
}

#[test]
fn flavors_do_not_mix() {
    let mut set = mysql(&format!("{A}:1"));
    assert!(set.add(&Gtid::parse(Flavor::MariaDb, "0-1-1").unwrap()).is_err());
    assert!(set.union(&maria("0-1-1")).is_err());
    assert!(!set.intersects(&maria("0-1-1")) && !set.is_subset(&maria("0-1-1")));
}

#[test]
fn positions_compare_by_gtid_first() {
    let at = |binlog: &str, set: &str| Position {
        binlog: Some(pos(binlog)),
        gtid: Some(mysql(&format!("{A}:{set}"))),
    };
    let less = Some(Ordering::Less);
    assert_eq!(at("a.2:4", "1-5").compare(&at("b.1:4", "1-6")), less);
    assert_eq!(at("a.2:4", "1-5").compare(&at("a.2:9", "1-5")), less);
    assert_eq!(at("a.2:4", "1-5").compare(&at("b.2:9", "1-5")), Some(Ordering::Equal));
    assert_eq!(at("a.2:4", "1-5").compare(&at("a.2:9", "2-6")), None);
    assert_eq!(Position::at(pos("a.2:4")).compare(&at("a.2:9", "2-6")), less);
    assert_eq!(Position::default().compare(&at("a.2:9", "2-6")), None);
}

#[test]
fn positions_survive_being_stored() {
    let cases = [
        Position::default(),
        Position::at(pos("mysql-bin.000003:154")),
        Position::of_gtid(maria("0-1-100,0-2-50,5-1-1")),
        Position { binlog: Some(pos("x|000001.7:4")), gtid: Some(mysql(&format!("{A}:1:t:3-4"))) },
        Position::of_gtid(GtidSet::empty(Flavor::MariaDb)),
    ];
    for position in cases {
        assert_eq!(Position::from_text(&position.to_text()).unwrap(), position);
        let json = serde_json::to_string(&position).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
    }
    let shown = Position { binlog: Some(pos("b.000001:4")), gtid: Some(mysql(&format!("{A}:1"))) };
    assert_eq!(shown.to_string(), format!("position: (b.000001, 4), gtid-set: {A}:1"));
    assert!(Position::from_text("x.1:4").is_err());
}

/// A set as its single transactions, the slow and obvious model.
type Model = std::collections::BTreeSet<(u8, u64)>;

fn sids() -> [Sid; 3] {
    [A.parse().unwrap(), format!("{A}:tag").parse().unwrap(), B.parse().unwrap()]
}

fn build(model: &Model) -> MySqlGtidSet {
    let mut set = MySqlGtidSet::default();
    for (sid, gno) in model {
        set.add(&sids()[usize::from(*sid)], *gno, *gno);
    }
    set
}

fn model() -> impl Strategy<Value = Model> {
    prop::collection::btree_set((0u8..3, 1u64..30), 0..40)
}

proptest! {
    #[test]
    fn mysql_algebra_is_that_of_sets(a in model(), b in model(), probe in (0u8..3, 1u64..30)) {
        let (x, y) = (build(&a), build(&b));
        let mut union = x.clone();
        union.union(&y);
        prop_assert_eq!(&union, &build(&a.union(&b).copied().collect()));
        prop_assert_eq!(x.minus(&y), build(&a.difference(&b).copied().collect()));
        prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
        prop_assert_eq!(x.intersects(&y), a.intersection(&b).next().is_some());
        prop_assert_eq!(x.contains(&sids()[usize::from(probe.0)], probe.1), a.contains(&probe));
    }

    #[test]
    fn mysql_sets_grow_the_same_in_any_order(
        parts in prop::collection::vec((1u64..40, 0u64..8), 0..20)
    ) {
        let sid = &sids()[0];
        let mut forward = MySqlGtidSet::default();
        let mut backward = MySqlGtidSet::default();
        parts.iter().for_each(|(s, n)| forward.add(sid, *s, s + n));
        parts.iter().rev().for_each(|(s, n)| backward.add(sid, *s, s + n));
        prop_assert_eq!(&forward, &backward);
        let mut last = 0;
        for (start, end) in forward.iter().flat_map(|(_, i)| i.iter()) {
            prop_assert!(start > last + 1 || last == 0);
            prop_assert!(start <= end);
            last = end;
        }
    }

    #[test]
    fn mysql_sets_survive_text_and_bytes(a in model()) {
        let set = build(&a);
        prop_assert_eq!(&set.to_string().parse::<MySqlGtidSet>().unwrap(), &set);
        prop_assert_eq!(&MySqlGtidSet::decode(&set.encode()).unwrap(), &set);
    }

    #[test]
    fn mariadb_order_and_minus_agree(
        a in prop::collection::btree_map((0u32..3, 1u32..3), 1u64..20, 0..5),
        b in prop::collection::btree_map((0u32..3, 1u32..3), 1u64..20, 0..5),
    ) {
        let make = |m: &std::collections::BTreeMap<(u32, u32), u64>| {
            let mut set = MariaDbGtidSet::default();
            m.iter().for_each(|((d, s), q)| set.push_state(MariaDbGtid::new(*d, *s, *q)));
            set
        };
        let (x, y) = (make(&a), make(&b));
        prop_assert_eq!(x.minus(&y).is_empty(), x.is_subset(&y));
        let mut union = x.clone();
        union.union(&y);
        prop_assert!(x.is_subset(&union) && y.is_subset(&union));
        prop_assert_eq!(&x.to_state_text().parse::<MariaDbGtidSet>().unwrap(), &x);
    }

    #[test]
    fn any_text_and_bytes_are_answered(
        text in "[0-9a-f:,|.;() \\-tx]{0,60}",
        bytes in prop::collection::vec(any::<u8>(), 0..80)
    ) {
        let _ = Position::from_text(&text);
        let _ = text.parse::<BinlogPos>();
        for flavor in [Flavor::MySql, Flavor::MariaDb] {
            if let Ok(set) = GtidSet::parse(flavor, &text) {
                prop_assert_eq!(GtidSet::parse(flavor, &set.to_state_text()).unwrap(), set);
            }
        }
        let _ = MySqlGtidSet::decode(&bytes);
    }
}
