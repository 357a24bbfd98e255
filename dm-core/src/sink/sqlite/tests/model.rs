//! Random changes against a model: what SQLite holds is what a list of rows would hold.

use proptest::prelude::*;

use super::*;
use crate::testing::model::{Model, few, step};

fn table(keyed: bool) -> &'static str {
    match keyed {
        true => "CREATE TABLE d.t (id int PRIMARY KEY, u int, v varchar(3), UNIQUE KEY (u))",
        false => "CREATE TABLE d.t (id int, u int, v varchar(3))",
    }
}

proptest! {
    #![proptest_config(few(24))]

    #[test]
    fn exact_changes_give_the_sources_rows(keyed: bool, steps in prop::collection::vec(step(), 1..30)) {
        let mut model = Model::new(keyed);
        let ops: Vec<_> = steps.iter().filter_map(|s| model.take(s)).collect();
        let mut bed = Bed::new();
        bed.ddl(table(keyed));
        let mut missing = 0;
        for part in ops.chunks(7) {
            missing += bed.exact("d.t", part.to_vec()).missing.len();
        }
        prop_assert_eq!(missing, 0);
        prop_assert_eq!(bed.rows("d.t"), model.stored());
    }

    #[test]
    fn replayed_changes_converge(steps in prop::collection::vec(step(), 1..30), from in 0usize..30, to in 0usize..30) {
        let mut model = Model::new(true);
        let ops: Vec<_> = steps.iter().filter_map(|s| model.take(s)).collect();
        let to = to.min(ops.len());
        let from = from.min(to);
        let mut bed = Bed::new();
        bed.ddl(table(true));
        bed.exact("d.t", ops[..to].to_vec());
        bed.apply("d.t", ops[from..].to_vec(), ApplyMode::Idempotent).unwrap();
        prop_assert_eq!(bed.rows("d.t"), model.stored());
    }
}
