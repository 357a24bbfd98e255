//! Every check with the test that shows it on servers of both families: one that fails it, and one that
//! passes. The test is watched while it runs: what it has not seen, it has not shown.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::support::server::Flavor::{self, Mariadb, Mysql};
use crate::support::{serial, workspace};

/// Where there can be no server that fails a check, and why.
type Never = Option<(Flavor, &'static str)>;

/// Checks as reports name them, the test that shows each, and where nothing can fail it.
const ITEMS: &[(&str, &str, Never)] = &[
    ("mysql_version", "versions_that_were_not_tried", None),
    (
        "mysql_server_id",
        "settings_of_the_source",
        Some((Mariadb, "its server_id begins at 1, also where an option file says 0")),
    ),
    ("mysql_binlog_enable", "a_source_without_a_binlog_can_be_copied_but_not_followed", None),
    ("mysql_binlog_format", "settings_of_the_source", None),
    ("mysql_binlog_row_image", "settings_of_the_source", None),
    ("binlog_do_db/binlog_ignore_db check", "schemas_that_are_not_logged", None),
    ("online ddl checker", "work_tables_of_online_schema_changes", None),
    ("source db dump privilege checker", "rights_at_the_source", None),
    ("source db replication privilege checker", "rights_at_the_source", None),
    ("target db privilege checker", "rights_at_the_target", None),
    ("dumper_conn_number_checker", "connections_at_both_ends", None),
    ("meta position check", "the_place_to_begin_at", None),
    ("table structure compatibility check", "structures_against_the_target", None),
    ("sharding table consistency checking", "tables_that_come_together", None),
    ("auto-increment key checking", "tables_that_come_together", None),
    ("primary key", "tables_without_keys_and_targets_that_want_them", None),
    ("downstream version", "versions_that_were_not_tried", None),
    ("downstream table emptiness", "structures_against_the_target", None),
    ("loader_conn_number_checker", "connections_at_both_ends", None),
    ("marks at target check", "a_target_without_a_place_for_marks", None),
    ("target names check", "target_names_and_routes", None),
    (
        "gtid mode check",
        "gtids_of_the_source",
        Some((
            Mariadb,
            "every transaction in its binlog has a GTID: there is nothing to switch on",
        )),
    ),
    ("dump consistency check", "a_copy_that_nothing_settles", None),
    ("replica source check", "a_replica_that_does_not_pass_on_what_it_receives", None),
    ("prepared XA transactions check", "prepared_transactions", None),
    ("unlogged cascades check", "cascades_that_are_not_logged", None),
    ("sequences check", "sequences_of_the_source", Some((Mysql, "it has no sequences"))),
    ("binlog retention check", "settings_of_the_source", None),
    ("target triggers check", "triggers_and_unique_keys_of_the_target", None),
    ("target unique keys check", "triggers_and_unique_keys_of_the_target", None),
    ("target values check", "values_that_the_target_cannot_hold", None),
    ("sql_require_primary_key check", "tables_without_keys_and_targets_that_want_them", None),
    ("named locks check", "a_proxy_that_gives_connections_other_numbers", None),
    ("state directory check", "a_state_directory_that_everybody_can_write_to", None),
];

/// What a test has seen of a check: its worst word or its silence, and in which mode of a task.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    check: String,
    state: Option<String>,
    mode: String,
}

thread_local! {
    static SEEN: RefCell<BTreeSet<Seen>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes what a check said (`fail`, `warn`), or that it said nothing.
pub fn note(check: &str, state: Option<&str>, mode: &str) {
    let (check, state) = (check.to_owned(), state.map(str::to_owned));
    SEEN.with_borrow_mut(|seen| seen.insert(Seen { check, state, mode: mode.to_owned() }));
}

/// A row of docs/checks.md.
struct Row {
    reported: String,
    when: String,
    worst: String,
}

impl Row {
    /// True when the check is made in such a task: silence of one that is not made shows nothing.
    fn is_made_in(&self, mode: &str) -> bool {
        match (self.when.split(',').next().unwrap_or_default(), mode) {
            ("follow", "full") | ("copy", "incremental") => false,
            ("copy and follow", mode) => mode == "all",
            _ => true,
        }
    }
}

fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(workspace().join("docs/checks.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<String> = line.split('|').map(|c| c.trim().to_owned()).collect();
        let [_, _, reported, when, worst, ..] = &cells[..] else { panic!("{line}") };
        Row { reported: reported.clone(), when: when.clone(), worst: worst.clone() }
    })
    .collect()
}

/// Runs a test for a server of each family, and compares what it has seen with what it is to show. The test
/// ends early, with `None`, where there are no servers.
pub fn each<T: Fn(Flavor) -> Option<()>>(test: T) {
    each_of(std::any::type_name::<T>(), test);
}

/// The same for a test whose name stands in this path.
pub fn each_of(path: &str, test: impl Fn(Flavor) -> Option<()>) {
    let _one = serial();
    let mut parts = path.rsplit("::").skip_while(|part| part.starts_with('{'));
    let name = parts.next().expect("a path");
    for flavor in [Mysql, Mariadb] {
        SEEN.take();
        if test(flavor).is_none() {
            return;
        }
        judge(name, flavor, &SEEN.take());
    }
}

fn judge(name: &str, flavor: Flavor, seen: &BTreeSet<Seen>) {
    let rows = rows();
    for (check, _, never) in ITEMS.iter().filter(|(_, test, _)| *test == name) {
        let row = rows.iter().find(|row| row.reported == *check).expect("a check of the table");
        let all = || seen.iter().filter(|s| s.check == *check && row.is_made_in(&s.mode));
        assert!(all().any(|s| s.state.is_none()), "{check} never passes on {flavor:?}");
        match never {
            Some((on, why)) if *on == flavor => {
                assert!(all().all(|s| s.state.is_none()), "{check} fails on {flavor:?}, but {why}");
            }
            _ => {
                let worst = |s: &Seen| s.state.as_deref() == Some(row.worst.as_str());
                assert!(all().any(worst), "{check}: no {} on {flavor:?}", row.worst);
            }
        }
    }
}

/// A check that is documented and stands in no line of the table, or in one whose test is not watched, is a
/// failure.
#[test]
fn every_check_is_tested() {
    let documented: Vec<String> = rows().into_iter().map(|row| row.reported).collect();
    assert!(documented.len() > 25, "{documented:?}");
    for name in &documented {
        let lines = ITEMS.iter().filter(|(check, ..)| check == name).count();
        assert_eq!(lines, 1, "{name:?} is to have one line in the table");
    }
    assert_eq!(documented.len(), ITEMS.len(), "a check of the table is not documented");
    let read = |file| std::fs::read_to_string(workspace().join("tests/checks").join(file)).unwrap();
    let tests = ["server.rs", "tables.rs"].map(read).concat();
    for (check, test, _) in ITEMS {
        let text = tests.split_once(&format!("\nfn {test}() {{\n    "));
        let (_, text) = text.unwrap_or_else(|| panic!("{check}: no test {test}"));
        let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("use "));
        let first = lines.next().unwrap_or_default().trim();
        assert!(
            first.starts_with("both(") || first.starts_with("each("),
            "{test} is not watched: {first}"
        );
    }
}
