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

#[test]
fn the_pages_examples_are_right() {
    use crate::config::{Lookup, SecretKey, SourceText, TaskPlan};
    let page = reference();
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|b| b.split("```").next().unwrap()).collect();
    let (sources, tasks): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|b| b.starts_with("# source.yaml"));
    assert_eq!((sources.len(), tasks.len()), (2, 4));
    let sources: Vec<_> =
        sources.iter().map(|text| SourceText { name: "source.yaml", text }).collect();
    let env = |name: &str| (name == "SHOP_HOST").then(|| "db".to_owned());
    let file = |_: &str| Ok("secret\n".to_owned());
    let lookup = Lookup { env: &env, file: &file, key: SecretKey::built_in() };
    for text in tasks {
        let task = SourceText { name: "task.yaml", text };
        let result = TaskPlan::from_yaml_with(&task, &sources, &lookup);
        let (_, warnings) = result.unwrap_or_else(|p| panic!("{p}"));
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}
