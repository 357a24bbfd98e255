use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::{Finding, Report, Severity, all};
use crate::config::{SourceText, TaskPlan};

/// Names of DM that nothing of ours belongs to: rows are written by SQL, never into the storage.
const PHYSICAL: &[&str] =
    &["free_space", "region_distribution", "empty_region", "downstream_mutex_features"];

fn accepts(item: &str) -> bool {
    let task = format!(
        "name: a\ntask-mode: all\ntarget-database: {{sqlite: a.db}}\nignore-checking-items: [{item}]\n\
         mysql-instances: [{{source-id: s}}]"
    );
    let source = "{source-id: s, from: {host: h, user: u}}";
    let plan = TaskPlan::from_yaml(
        &SourceText { name: "t", text: &task },
        &[SourceText { name: "s", text: source }],
        &|_| None,
    );
    plan.is_ok_and(|(plan, _)| plan.ignored_checks.items.len() == 1)
}

#[test]
fn every_check_can_be_left_out_by_its_name() {
    for check in all() {
        assert!(accepts(check.name), "{}", check.name);
    }
    for name in PHYSICAL {
        assert!(accepts(name), "{name}");
    }
    for spelling in ["dump_privileges", "replication_privileges", "auto_increment_disable_ID"] {
        assert!(accepts(spelling), "{spelling}");
    }
    assert!(!accepts("luck"));
}

#[test]
fn names_are_one_for_each_check() {
    let names: BTreeSet<(&str, &str)> = all().iter().map(|c| (c.name, c.reported)).collect();
    assert_eq!(names.len(), all().len());
}

#[test]
fn a_report_is_cut_and_counted_as_dm_does() {
    let mut report = Report::default();
    let check = all()[0];
    let bad = || Finding::failure("found", "expected", "repair");
    let odd = || Finding::warning("odd", "even", "add one");
    report.add(check, Some("s1"), vec![bad(), bad(), odd()]);
    report.add(check, Some("s2"), vec![odd()]);
    report.add(check, None, Vec::new());
    let json = report.to_json(1, 10);
    assert_eq!(json["passed"], false);
    assert_eq!(json["summary"]["total"], 3);
    assert_eq!(json["summary"]["failed"], 1);
    assert_eq!(json["summary"]["warning"], 1);
    assert_eq!(json["summary"]["successful"], 1);
    let results = json["results"].as_array().unwrap();
    assert_eq!(results.len(), 2, "those that succeed are not listed");
    assert_eq!(results[0]["state"], "fail");
    assert_eq!(results[0]["errors"].as_array().unwrap().len(), 2, "one error, one warning");
    assert_eq!(results[0]["errors"][0]["severity"], "fail");
    assert_eq!(report.lines(Severity::Failure).len(), 2);
    assert!(report.verdict().unwrap_err().message().contains("2 checks failed"));
    assert!(report.to_text(1, 1).contains("and 1 more"));
}

#[test]
fn docs_are_rendered_from_the_table() {
    let mut text = String::from(
        "# Checks before the start\n\n\
         `dm check-task task.yaml --source source.yaml` makes them all and changes nothing; `dm run` \
         makes them itself and refuses to start while one fails, naming all that fail. A task that \
         has begun is asked again only for what is marked *again*. `dm check-source source.yaml` makes \
         those that concern a source alone. A name in `ignore-checking-items` leaves a check out; \
         `all` leaves out every one. This page is rendered from the table of checks.\n\n",
    );
    for (ours, head) in [(false, "## DM's checks"), (true, "## Further checks")] {
        let _ =
            writeln!(text, "{head}\n\n| name | reported as | when | worst | looks at | repair |");
        text.push_str("|---|---|---|---|---|---|\n");
        for c in all().iter().filter(|c| c.ours == ours) {
            let again = if c.again { ", again" } else { "" };
            let alone = if c.alone { ", source alone" } else { "" };
            let _ = writeln!(
                text,
                "| `{}` | {} | {}{again}{alone} | {} | {} | {} |",
                c.name,
                c.reported,
                c.when.as_str(),
                c.worst.as_str(),
                c.looks_at,
                c.repair,
            );
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "## Names that stand for nothing here\n\n{} belong to DM's physical import, which writes \
         into TiDB's storage. Here rows are always written by SQL; the names are accepted in \
         `ignore-checking-items`. The manual's spellings `dump_privileges`, `replication_privileges` \
         and `auto_increment_disable_ID` are accepted as well.",
        PHYSICAL.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/checks.md");
    crate::testing_docs::compare(&path, &text);
}
