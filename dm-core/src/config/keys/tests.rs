use std::path::Path;

use super::*;

fn walk(group: &'static Group, visit: &mut impl FnMut(&'static Group)) {
    visit(group);
    for key in group.keys {
        if let Kind::One(inner) | Kind::List(inner) | Kind::Named(inner) = key.kind {
            walk(inner, visit);
        }
    }
}

#[test]
fn keys_are_unique_and_explained() {
    for root in [&TASK, &SOURCE] {
        walk(root, &mut |group| {
            for (i, key) in group.keys.iter().enumerate() {
                let name = key.name;
                assert!(group.keys[..i].iter().all(|k| k.name != name), "{} {name}", group.title);
                assert!(!key.since.is_empty(), "{} {name}", group.title);
                let told = !key.meaning.is_empty() || key.standing != Standing::Used;
                // The keys of what DM has removed need no meaning.
                assert!(
                    told || group.title.starts_with("column-mappings"),
                    "{} {name}",
                    group.title
                );
            }
        });
    }
}

#[test]
fn docs_are_rendered_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    crate::testing_docs::compare(&path, &reference());
}

#[test]
fn a_wrong_key_is_answered_with_its_neighbour() {
    assert_eq!(suggestion("target_database", &TASK), "perhaps `target-database`");
    assert_eq!(suggestion("task-mod", &TASK), "perhaps `task-mode`");
    assert!(suggestion("zzz", &SOURCE).starts_with("one of enable, source-id"));
}
