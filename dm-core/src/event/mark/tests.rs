//! Sets against a model, and texts that come back.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::position::{Flavor, Sid};

#[test]
fn equal_steps_take_no_room() {
    let mut set = OrdinalSet::new();
    (0..1_000).for_each(|i| set.insert(100 + 16 * i));
    assert_eq!(set.to_text(), "100,16*999");
    assert_eq!(OrdinalSet::from_text(&set.to_text()), Some(set));
    // As earlier versions wrote them.
    let long = OrdinalSet::from_text("100,16,16,16,5+2,5+2").unwrap();
    assert_eq!(long.to_text(), "100,16*3,5+2*2");
    assert_eq!(OrdinalSet::from_text(&long.to_text()), Some(long));
    for damaged in ["5,0*3", "5,2*", "5,2*x", "5,2*99999999999", "5|=1", "5|=x:1", "5|="] {
        assert_eq!(OrdinalSet::from_text(damaged), None, "{damaged}");
    }
}

proptest! {
    #[test]
    fn behaves_like_a_set(items in prop::collection::vec(1u64..60, 0..60), cut in 0u64..60) {
        let mut set = OrdinalSet::new();
        let mut model = BTreeSet::new();
        for &i in &items {
            set.insert(i);
            model.insert(i);
        }
        for i in 0..61 {
            prop_assert_eq!(set.contains(i), model.contains(&i));
        }
        prop_assert_eq!(set.len(), model.len() as u64);
        prop_assert_eq!(OrdinalSet::from_text(&set.to_text()), Some(set.clone()));
        let run = (cut + 1..).take_while(|i| model.contains(i)).last().unwrap_or(cut);
        prop_assert_eq!(set.run_after(cut), run);
        set.forget_upto(cut);
        model.retain(|&i| i > cut);
        for i in 0..61 {
            prop_assert_eq!(set.contains(i), model.contains(&i));
        }
    }

    /// Another server delivers in another order: the GTID decides.
    #[test]
    fn a_gtid_decides_where_there_is_one(order in prop::collection::vec(1u64..40, 1..30)) {
        let gtid = |n: u64| {
            Gtid::parse(Flavor::MySql, &format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:{n}")).unwrap()
        };
        let mut set = OrdinalSet::new();
        let mut gtids = GtidSet::empty(Flavor::MySql);
        for (ordinal, &n) in order.iter().enumerate() {
            set.insert(ordinal as u64 + 100);
            gtids.add(&gtid(n)).unwrap();
        }
        set.set_gtids(Some(gtids));
        let stored = OrdinalSet::from_text(&set.to_text()).unwrap();
        prop_assert_eq!(&stored, &set);
        let mut both = OrdinalSet::new();
        both.union(&stored);
        both.union(&OrdinalSet::new());
        for n in 0..41 {
            prop_assert_eq!(both.has(100, Some(&gtid(n + 1))), order.contains(&(n + 1)));
            prop_assert_eq!(both.has(n + 100, None), both.contains(n + 100));
        }
        let mut without = OrdinalSet::new();
        without.insert(7);
        both.union(&without);
        prop_assert_eq!(both.gtids(), None);
    }

    /// GTIDs that are the ordinals from another number on are told briefly, and come back.
    #[test]
    fn counted_gtids_come_back(
        items in prop::collection::vec(1u64..200, 1..60),
        first in 1u64..1000,
        other in 0u64..2,
    ) {
        let sid: Sid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag".parse().unwrap();
        let mut set = OrdinalSet::new();
        items.iter().for_each(|&i| set.insert(i));
        let begin = set.first().unwrap();
        let mut model = GtidSet::empty(Flavor::MySql);
        for &i in &items {
            let gno = first + (i - begin);
            model.add(&Gtid::MySql { sid: sid.clone(), gno }).unwrap();
        }
        prop_assert!(set.set_counted(&sid, first));
        prop_assert_eq!(set.gtids(), Some(&model));
        let brief = format!("|={sid}:{first}");
        prop_assert!(set.to_text().contains(&brief));
        // One more, of whatever number, is another set.
        model.add(&Gtid::MySql { sid, gno: first + 500 + other }).unwrap();
        let mut uneven = set.clone();
        uneven.set_gtids(Some(model));
        for set in [set, uneven] {
            prop_assert_eq!(OrdinalSet::from_text(&set.to_text()), Some(set));
        }
    }

    #[test]
    fn union_is_union(a in prop::collection::vec(1u64..50, 0..30), b in prop::collection::vec(1u64..50, 0..30)) {
        let build = |v: &[u64]| { let mut s = OrdinalSet::new(); v.iter().for_each(|&i| s.insert(i)); s };
        let mut set = build(&a);
        set.union(&build(&b));
        let both: Vec<u64> = a.iter().chain(&b).copied().collect();
        prop_assert_eq!(set, build(&both));
    }
}

#[test]
fn a_part_counts_until_the_whole_is_in() {
    let part = |events| Part { ordinal: 7, events, server: 0xabc };
    let mut first = OrdinalSet::new();
    first.set_part(part(2));
    assert_eq!(first.to_text(), "~7:2:abc");
    assert!(first.is_empty());
    let mut second = OrdinalSet::from_text("3+1~7:5:abc").unwrap();
    second.union(&OrdinalSet::from_text(&first.to_text()).unwrap());
    assert_eq!(second.part(), Some(part(5)));
    assert!(second.contains(4) && !second.contains(7));
    second.forget_upto(6);
    assert_eq!(second.part(), Some(part(5)));
    let mut whole = second.clone();
    whole.insert(7);
    assert_eq!((whole.part(), whole.to_text().as_str()), (None, "7"));
    second.forget_upto(7);
    assert_eq!(second, OrdinalSet::new());
}

#[test]
fn rubbish_is_no_set() {
    for text in [
        "1~",
        "~1",
        "~1:2",
        "~1:2:x",
        "~1:2:3:4",
        "x",
        "1-2",
        "5,0",
        "1+",
        "+1",
        "18446744073709551615,5",
    ] {
        assert_eq!(OrdinalSet::from_text(text), None, "{text}");
    }
}
