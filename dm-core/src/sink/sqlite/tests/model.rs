//! Random changes against a model: what SQLite holds is what a list of rows would hold.

use proptest::prelude::*;

use super::*;

type Cells = (i64, Option<i64>, String);

#[derive(Clone, Debug)]
enum Step {
    Insert(Cells),
    Update(Cells, Cells),
    Delete(Cells),
}

fn cells() -> impl Strategy<Value = Cells> {
    (0i64..5, prop::option::of(0i64..4), "[ab]{0,1}")
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => cells().prop_map(Step::Insert),
        2 => (cells(), cells()).prop_map(|(a, b)| Step::Update(a, b)),
        1 => cells().prop_map(Step::Delete),
    ]
}

fn values((id, u, v): &Cells) -> Vec<Value<'static>> {
    vec![Value::Int(*id), u.map_or(Value::Null, Value::Int), text(v)]
}

/// A source with a table: keyed by `id` and unique `u`, or without any key. It takes the steps
/// that it can, and logs them as row events.
#[derive(Default)]
struct Model {
    keyed: bool,
    rows: Vec<Cells>,
}

impl Model {
    fn collides(&self, row: &Cells, except: Option<usize>) -> bool {
        self.keyed
            && self.rows.iter().enumerate().any(|(i, r)| {
                Some(i) != except && (r.0 == row.0 || (r.1.is_some() && r.1 == row.1))
            })
    }

    fn find(&self, like: &Cells) -> Option<usize> {
        self.rows.iter().position(|r| if self.keyed { r.0 == like.0 } else { r == like })
    }

    fn take(&mut self, step: &Step) -> Option<RowOp<'static>> {
        match step {
            Step::Insert(row) if !self.collides(row, None) => {
                self.rows.push(row.clone());
                Some(insert(values(row)))
            }
            Step::Update(from, to) => {
                let at = self.find(from)?;
                if self.collides(to, Some(at)) {
                    return None;
                }
                let before = std::mem::replace(&mut self.rows[at], to.clone());
                Some(update(values(&before), values(to)))
            }
            Step::Delete(row) => {
                let at = self.find(row)?;
                Some(delete(values(&self.rows.remove(at))))
            }
            Step::Insert(_) => None,
        }
    }

    fn stored(&self) -> Vec<String> {
        let mut rows: Vec<String> = self
            .rows
            .iter()
            .map(|(id, u, v)| {
                format!("{id},{},'{v}'", u.map_or("NULL".to_owned(), |u| u.to_string()))
            })
            .collect();
        rows.sort();
        rows
    }
}

fn table(keyed: bool) -> &'static str {
    match keyed {
        true => "CREATE TABLE d.t (id int PRIMARY KEY, u int, v varchar(3), UNIQUE KEY (u))",
        false => "CREATE TABLE d.t (id int, u int, v varchar(3))",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn exact_changes_give_the_sources_rows(keyed: bool, steps in prop::collection::vec(step(), 1..30)) {
        let mut model = Model { keyed, ..Model::default() };
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
        let mut model = Model { keyed: true, ..Model::default() };
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
