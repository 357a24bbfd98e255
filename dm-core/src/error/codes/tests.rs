use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::all;

/// The codes for which DM's own table has advice; ours must not have less.
const WITH_WORKAROUND: &[u32] = &[
    10001, 10002, 10003, 11010, 11043, 11111, 11112, 11123, 11125, 11126, 11128, 11129, 11130,
    20001, 20003, 20004, 20005, 20006, 20007, 20008, 20011, 20012, 20013, 20014, 20015, 20016,
    20017, 20019, 20020, 20021, 20022, 20023, 20024, 20025, 20026, 20027, 20028, 20029, 20030,
    20031, 20032, 20033, 20037, 20038, 20039, 20040, 20041, 20042, 20043, 20044, 20045, 20047,
    20048, 20049, 20052, 20053, 20054, 20055, 20056, 20057, 20058, 20059, 20060, 20061, 20062,
    20063, 20064, 20065, 20066, 20067, 20068, 20069, 20070, 26001, 26002, 26003, 26006, 26007,
    28005, 30004, 30008, 30037, 30044, 32002, 32003, 32004, 34010, 34016, 34017, 34018, 34020,
    34021, 36008, 36022, 36027, 36030, 36031, 36040, 36058, 36060, 36062, 36067, 36069, 36071,
    38016, 38019, 38032, 40052, 40068, 40080, 44006, 46010, 46014, 46016, 46018, 46020, 46034,
    49002,
];

#[test]
fn numbers_and_names_are_unique() {
    let all = all();
    assert_eq!(all.iter().map(|c| c.number).collect::<BTreeSet<_>>().len(), all.len());
    assert_eq!(all.iter().map(|c| c.name).collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn names_and_sentences_have_their_form() {
    for code in all() {
        let name = code.name;
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{name}"
        );
        for text in [code.meaning, code.workaround] {
            let ends = text.is_empty() || text.ends_with('.');
            assert!(ends, "{}: `{text}` is no sentence", code.number);
        }
        assert!(!code.meaning.is_empty(), "{}", code.number);
    }
}

#[test]
fn dms_advice_has_its_counterpart() {
    let all = all();
    for number in WITH_WORKAROUND {
        let code = all.iter().find(|c| c.number == *number);
        let code = code.unwrap_or_else(|| panic!("{number} is missing"));
        assert!(!code.workaround.is_empty(), "{number} says what is wrong, but not what to do");
    }
}

#[test]
fn codes_that_wait_for_a_person_are_codes() {
    let numbers: Vec<u32> = all().into_iter().map(|code| code.number).collect();
    let waiting = crate::error::code::NEEDS_PERSON;
    assert!(waiting.is_sorted());
    assert!(waiting.iter().all(|number| numbers.binary_search(number).is_ok()));
    let waits = |number| {
        all().into_iter().find(|c| c.number == number).map(super::super::Code::needs_person)
    };
    assert_eq!((waits(36027), waits(36069)), (Some(true), Some(false)));
}

#[test]
fn docs_are_rendered_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    crate::testing_docs::compare(&path, &render());
}

fn render() -> String {
    let mut out = String::from(
        "# Errors\n\n\
         This page is rendered from the table in `dm-core/src/error/codes/`; to change it, change the table and run\n\
         `UPDATE_DOCS=1 cargo test -p dm-core docs_are_rendered`.\n\n\
         An error is printed as\n\n\
         ```text\n\
         [code=N:class=C:scope=S:level=L], Message: what happened, RawCause: the underlying failure, Workaround: what to do\n\
         ```\n\n\
         Numbers are DM's wherever the meaning is DM's; others of ours have numbers that DM does not use. The scope\n\
         is where such an error usually happens; database errors get theirs (`upstream`, `downstream`) when they happen.\n\
         After one that waits for a person a task in the background does not try again by itself; the number of a server\n\
         (1062) may say so, too: `dm explain-error` knows both.\n",
    );
    let mut class = None;
    for code in all() {
        let group = code.number / 1000;
        if class != Some(group) {
            class = Some(group);
            let _ = write!(out, "\n## {group}xxx\n");
        }
        let stays = if code.needs_person() { ", waits for a person" } else { "" };
        let _ = write!(
            out,
            "\n### {} {}\n\n{} *({}, {}, {}{stays})*\n",
            code.number, code.name, code.meaning, code.class, code.scope, code.level
        );
        if !code.workaround.is_empty() {
            let _ = write!(out, "\nWhat to do: {}\n", code.workaround);
        }
    }
    out
}
