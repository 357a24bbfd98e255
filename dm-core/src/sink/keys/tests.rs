use dm_filter::{Columns, Row, RowOp, Value};
use proptest::prelude::*;

use super::*;
use crate::schema::{Column, ColumnType, KeyKind, TypeKind};

fn column(name: &str, kind: TypeKind, collation: &str) -> Column {
    let ty = ColumnType { collation: collation.into(), ..ColumnType::new(kind) };
    Column { nullable: false, default: None, ..Column::new(name, ty) }
}

fn table(columns: Vec<Column>, keys: Vec<Key>) -> TableSchema {
    TableSchema { columns: columns.into(), keys: keys.into(), ..TableSchema::default() }
}

fn one(collation: &str, value: Value<'_>) -> KeyHash {
    let kind = if collation.is_empty() { TypeKind::Decimal } else { TypeKind::VarChar };
    let t = table(
        vec![column("a", kind, collation)],
        vec![Key::over("PRIMARY", KeyKind::Primary, ["a"])],
    );
    let plan = KeyPlan::new("s.t", &t, Some(&t), &Columns::named(["a"]));
    let mut out = Vec::new();
    plan.hashes(&RowOp::Insert { after: Row::full([value]) }, &mut out);
    assert_eq!(out.len(), 1);
    out[0]
}

fn wild(k: KeyHash) -> bool {
    matches!(k, KeyHash::Wild { .. })
}

#[test]
fn values_that_the_server_calls_equal_share_a_hash() {
    let ci = "utf8mb4_0900_ai_ci";
    assert_eq!(one(ci, "Abc ".into()), one(ci, "aBC".into()));
    assert_ne!(one(ci, "abc".into()), one(ci, "abd".into()));
    let bin = "utf8mb4_bin";
    assert_eq!(one(bin, "é ".into()), one(bin, "é".into()));
    assert_ne!(one(bin, "a".into()), one(bin, "A".into()));
    assert_eq!(one("", Value::Decimal("-0.00".into())), one("", Value::Decimal("0".into())));
    assert_eq!(one("", Value::Decimal("1.50".into())), one("", Value::Decimal("01.5".into())));
    assert_ne!(one("", Value::Decimal("15".into())), one("", Value::Decimal("1.5".into())));
}

#[test]
fn what_cannot_be_told_is_wild() {
    assert!(wild(one("utf8mb4_0900_ai_ci", "straße".into())));
    assert!(wild(one("utf8mb4_0900_ai_ci", "a\u{1}b".into())));
    assert!(wild(one("utf8mb4_hu_0900_ai_ci", "ccs".into())));
    assert!(wild(one("utf8mb4_swedish_ci", "a".into())));
    assert!(!wild(one("latin1_swedish_ci", "a".into())));
    assert!(wild(one("", Value::Text("x".into()))));
}

#[test]
fn tables_alike_share_how_they_are_hashed_and_no_hash() {
    let t = table(
        vec![column("a", TypeKind::Int, "")],
        vec![Key::over("PRIMARY", KeyKind::Primary, ["a"])],
    );
    let mut pool = Pool::default();
    let mut plan =
        |name: &str| KeyPlan::new(name, &t, None, &Columns::named(["a"])).shared(&mut pool);
    let (one, other) = (plan("s.one"), plan("s.other"));
    assert!(Arc::ptr_eq(&one.shape, &other.shape));
    let hashes = |plan: &KeyPlan| {
        let mut out = Vec::new();
        plan.hashes(&RowOp::Insert { after: Row::full([Value::Int(1)]) }, &mut out);
        out
    };
    assert_ne!(hashes(&one), hashes(&other));
    assert_ne!(hashes(&one)[0].index(), hashes(&other)[0].index());
}

#[test]
fn keys_of_both_sides_count_once_each() {
    let cols = || vec![column("a", TypeKind::Int, ""), column("b", TypeKind::Int, "")];
    let source = table(cols(), vec![Key::over("PRIMARY", KeyKind::Primary, ["a"])]);
    let target = table(
        cols(),
        vec![Key::over("PRIMARY", KeyKind::Primary, ["a"]), Key::over("u", KeyKind::Unique, ["b"])],
    );
    let plan = KeyPlan::new("s.t", &target, Some(&source), &Columns::named(["a", "b"]));
    let mut out = Vec::new();
    plan.hashes(&RowOp::Insert { after: Row::full([Value::Int(1), Value::Int(2)]) }, &mut out);
    assert_eq!(out.len(), 2);
    assert!(!plan.is_serial());
    out.clear();
    plan.hashes(&RowOp::Insert { after: Row::full([Value::Int(1), Value::Null]) }, &mut out);
    assert_eq!(out.len(), 1, "NULL collides with nothing");
    out.clear();
    // A minimal image of a delete does not tell the other key.
    let before = Row::partial(vec![Some(Value::Int(1)), None]);
    plan.hashes(&RowOp::Delete { before }, &mut out);
    assert!(wild(out[1]));
}

#[test]
fn a_table_without_a_key_is_serial() {
    let t = table(vec![column("a", TypeKind::Int, "")], vec![]);
    let plan = KeyPlan::new("s.t", &t, None, &Columns::named(["a"]));
    assert!(plan.is_serial());
    let mut a = Vec::new();
    let mut b = Vec::new();
    plan.hashes(&RowOp::Insert { after: Row::full([Value::Int(1)]) }, &mut a);
    plan.hashes(&RowOp::Insert { after: Row::full([Value::Int(2)]) }, &mut b);
    assert_eq!(a, b);
}

proptest! {
    /// Equal under the fold that the collation applies implies the same hash.
    #[test]
    fn equal_implies_same_hash(text in "[ -~]{0,12}", spaces in 0usize..3, upper in any::<bool>()) {
        let twin = if upper { text.to_ascii_uppercase() } else { text.to_ascii_lowercase() };
        let twin = format!("{twin}{}", " ".repeat(spaces));
        for collation in ["utf8mb4_general_ci", "utf8mb3_unicode_ci", "latin1_swedish_ci"] {
            prop_assert_eq!(one(collation, text.as_str().into()), one(collation, twin.as_str().into()));
        }
    }

    /// Parts do not run into each other.
    #[test]
    fn parts_are_apart(a in "[a-c]{0,3}", b in "[a-c]{0,3}", c in "[a-c]{0,3}", d in "[a-c]{0,3}") {
        let t = table(
            vec![column("a", TypeKind::VarChar, "utf8mb4_bin"), column("b", TypeKind::VarChar, "utf8mb4_bin")],
            vec![Key::over("PRIMARY", KeyKind::Primary, ["a", "b"])],
        );
        let plan = KeyPlan::new("s.t", &t, None, &Columns::named(["a", "b"]));
        let hash = |x: &str, y: &str| {
            let mut out = Vec::new();
            plan.hashes(&RowOp::Insert { after: Row::full([x.into(), y.into()]) }, &mut out);
            out
        };
        prop_assert_eq!(hash(&a, &b) == hash(&c, &d), (&a, &b) == (&c, &d));
    }
}
