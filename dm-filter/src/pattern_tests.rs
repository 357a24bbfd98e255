//! Tests of `pattern.rs`: the shared fixture file, and properties against a naive reference.

use proptest::prelude::*;
use serde::Deserialize;

use crate::pattern::{NamePattern, PairPattern, PatternError, PatternIndex};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    pattern: String,
    #[serde(default)]
    case_sensitive: bool,
    #[serde(default)]
    matches: Vec<String>,
    #[serde(default)]
    misses: Vec<String>,
    /// Part of the error, for a text that is no pattern.
    error: Option<String>,
    #[serde(default)]
    doubts: Vec<String>,
}

/// Long lists are asked by hashing, not one after the other: 40 million comparisons would take
/// minutes here.
#[test]
fn twenty_thousand_tables_are_found_at_once() {
    let pair = |i: usize| PairPattern {
        schema: NamePattern::new(&format!("shop_{}", i % 50), false).unwrap(),
        table: Some(NamePattern::new(&format!("table_{i}"), false).unwrap()),
    };
    let index = PatternIndex::new((0..20_000).map(pair).collect());
    for i in (0..20_000).step_by(10) {
        assert_eq!(index.first(&format!("SHOP_{}", i % 50), &format!("Table_{i}")), Some(i));
        assert_eq!(index.first("shop_50", &format!("table_{i}")), None);
    }
}

#[test]
fn the_fixture_file_holds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/filter/pattern.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<Case> = serde_yaml::from_str(&text).unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        match (NamePattern::new(&case.pattern, case.case_sensitive), case.error) {
            (Ok(pattern), None) => {
                for name in &case.matches {
                    assert!(pattern.is_match(name), "{} should match {name}", case.pattern);
                }
                for name in &case.misses {
                    assert!(!pattern.is_match(name), "{} should not match {name}", case.pattern);
                }
                let doubts: Vec<_> = pattern.doubts().iter().map(|d| format!("{d:?}")).collect();
                assert_eq!(doubts, case.doubts, "{}", case.pattern);
            }
            (Err(e), Some(part)) => assert!(e.to_string().contains(&part), "{e}"),
            (found, expected) => panic!("{}: {found:?}, expected {expected:?}", case.pattern),
        }
    }
}

/// What the documentation says, word for word and as slow as it likes: `None` for no pattern.
fn naive(pattern: &[char], name: &[char]) -> Option<bool> {
    let Some(&first) = pattern.first() else { return Some(name.is_empty()) };
    let (used, accepts): (usize, Box<dyn Fn(char) -> bool>) = match first {
        '*' => return (pattern.len() == 1).then_some(true),
        '?' => (1, Box::new(|_| true)),
        '[' if pattern.contains(&']') => {
            let end = pattern.iter().position(|c| *c == ']').unwrap();
            let text: String = pattern[1..end].iter().collect();
            let literal = text == "!";
            let negated = !literal && text.starts_with('!');
            let set: Vec<char> = text.chars().skip(usize::from(negated)).collect();
            let mut members = Vec::new();
            let mut i = 0;
            while i < set.len() {
                if i + 2 < set.len() && set[i + 1] == '-' {
                    members.extend(set[i]..=set[i + 2]);
                    i += 3;
                } else {
                    members.push(set[i]);
                    i += 1;
                }
            }
            (end + 1, Box::new(move |c| members.contains(&c) != negated))
        }
        c => (1, Box::new(move |other| other == c)),
    };
    let rest = naive(&pattern[used..], name.get(1..).unwrap_or_default())?;
    Some(name.first().is_some_and(|c| accepts(*c)) && rest)
}

proptest! {
    #[test]
    fn wildcards_are_what_the_documentation_says(
        pattern in r"[ab.é!\-\[\]?*{}/\\]{1,7}",
        name in r"[abé.!\-\[\]?*{}/\\]{0,6}",
    ) {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        let expected = naive(&chars(&pattern), &chars(&name));
        match NamePattern::new(&pattern, true) {
            Ok(p) => prop_assert_eq!(Some(p.is_match(&name)), expected),
            Err(e) => {
                prop_assert_eq!(e, PatternError::StarNotLast(pattern));
                prop_assert_eq!(expected, None);
            }
        }
    }

    #[test]
    fn case_is_ignored_by_folding_both_sides(pattern in "[a-cA-C?é]{1,4}", name in "[a-cA-CéÉ]{0,4}") {
        let folded = NamePattern::new(&pattern.to_lowercase(), true).unwrap();
        let ignoring = NamePattern::new(&pattern, false).unwrap();
        prop_assert_eq!(ignoring.is_match(&name), folded.is_match(&name.to_lowercase()));
    }

    #[test]
    fn the_index_finds_what_asking_each_pattern_finds(
        patterns in prop::collection::vec(
            (r"[abÉ./\\{},!]{0,2}[\[?.]?[ab\]*]?", prop::option::of(r"[abÉ./\\,]{1,2}[?*]?"), any::<bool>()),
            4..12,
        ),
        names in prop::collection::vec((r"[abÉé./\\{},!\[]{0,3}", r"[aAbé./\\,]{0,3}"), 1..20),
    ) {
        let pairs: Vec<PairPattern> = patterns
            .iter()
            .filter_map(|(s, t, case)| Some(PairPattern {
                schema: NamePattern::new(s, *case).ok()?,
                table: match t {
                    Some(t) => Some(NamePattern::new(t, *case).ok()?),
                    None => None,
                },
            }))
            .collect();
        let index = PatternIndex::new(pairs.clone());
        for (schema, table) in &names {
            let each: Vec<usize> =
                (0..pairs.len()).filter(|i| pairs[*i].is_match(schema, table)).collect();
            prop_assert_eq!(index.first(schema, table), each.first().copied());
            prop_assert_eq!(index.matches(schema, table), each, "{}.{}", schema, table);
        }
    }
}
