//! Laws that hold for any expression: three-valued logic against its truth tables, and text that
//! is no expression.

use proptest::prelude::*;

use crate::change::{Columns, Row};
use crate::expression::{CompiledExpr, Zone};
use crate::value::Value;

fn eval(text: &str) -> Option<String> {
    let columns = Columns::default();
    let expr = CompiledExpr::compile(text, &columns, &Zone::utc()).unwrap();
    expr.value_text(&Row::default(), &columns).unwrap()
}

fn show(truth: Option<bool>) -> Option<String> {
    truth.map(|t| u8::from(t).to_string())
}

fn word(truth: Option<bool>) -> &'static str {
    match truth {
        None => "NULL",
        Some(true) => "TRUE",
        Some(false) => "0.0",
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn truths() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![Just(None), Just(Some(true)), Just(Some(false))]
}

proptest! {
    #[test]
    fn logic_has_three_values(a in truths(), b in truths(), c in truths()) {
        let (x, y, z) = (word(a), word(b), word(c));
        let not = |t: Option<bool>| t.map(|t| !t);
        let or = |a, b| not(and(not(a), not(b)));
        prop_assert_eq!(eval(&format!("{x} AND {y}")), show(and(a, b)));
        prop_assert_eq!(eval(&format!("{x} OR {y}")), show(or(a, b)));
        prop_assert_eq!(eval(&format!("NOT {x}")), show(not(a)));
        prop_assert_eq!(eval(&format!("{x} XOR {y}")), show(a.zip(b).map(|(a, b)| a != b)));
        prop_assert_eq!(eval(&format!("{x} OR {y} AND {z}")), show(or(a, and(b, c))));
        prop_assert_eq!(eval(&format!("NOT ({x} OR {y})")), eval(&format!("NOT {x} AND NOT {y}")));
        prop_assert_eq!(eval(&format!("({x} AND {y}) OR ({x} AND {z})")), eval(&format!("{x} AND ({y} OR {z})")));
        prop_assert_eq!(eval(&format!("{x} IS TRUE")), show(Some(a == Some(true))));
        prop_assert_eq!(eval(&format!("{x} IS NOT UNKNOWN")), show(Some(a.is_some())));
    }

    #[test]
    fn comparison_is_an_order(a in -3i64..3, b in -3i64..3, c in -3i64..3) {
        let one = |t: String| eval(&t) == Some("1".into());
        prop_assert_eq!(one(format!("{a} < {b}")), one(format!("{b} > {a}")));
        prop_assert_eq!(one(format!("{a} <= {b}")), !one(format!("{a} > {b}")));
        prop_assert_eq!(one(format!("{a} BETWEEN {b} AND {c}")), one(format!("{a} >= {b} AND {a} <= {c}")));
        prop_assert_eq!(one(format!("{a} IN ({b}, {c})")), one(format!("{a} = {b} OR {a} = {c}")));
        prop_assert_eq!(one(format!("{a} = {b}")), one(format!("'{a}' = {b}.0")));
    }

    #[test]
    fn no_text_makes_it_panic(text in r#"[ac019.'"`()+*/%<>=!&|^~,\\ -]{0,24}|(a|NOT|IN|\(|\)|,|1|LIKE|'x'|BETWEEN|AND|CASE|WHEN|END|-|INTERVAL|DAY|IF| ){0,12}"#) {
        let columns = Columns::named(["a", "c"]);
        if let Ok(expr) = CompiledExpr::compile(&text, &columns, &Zone::utc()) {
            for row in [[Value::Int(1), Value::from("é")], [Value::Null, Value::Double(-0.5)]] {
                let _ = expr.is_true(&Row::full(row), &columns);
            }
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_long_chains_are_not() {
    let columns = Columns::named(["a"]);
    let compile = |text: &str| CompiledExpr::compile(text, &columns, &Zone::utc());
    for deep in ["(".repeat(5000), "NOT ".repeat(5000), "-".repeat(5000), "1 + ".repeat(5000)] {
        assert!(compile(&format!("{deep}1")).is_err());
    }
    let chain = vec!["a = 1"; 5000].join(" OR ");
    let row = Row::full([Value::Int(2)]);
    assert!(!compile(&chain).unwrap().is_true(&row, &columns).unwrap());
}

/// Every operator and cast on every pair of awkward operands: an answer or an error.
#[test]
fn no_operand_makes_an_operator_panic() {
    use crate::value::{Date, DateTime, Json, Time, Timestamp};
    let text = |s: &'static str| Value::from(s);
    let values = [
        Value::Null,
        Value::Int(i64::MIN),
        Value::Int(-1),
        Value::UInt(u64::MAX),
        Value::Double(f64::MAX),
        Value::Double(f64::NAN),
        Value::Float(f32::INFINITY),
        Value::Decimal("-99999999999999999999999999999999999999999999999999999999999999999".into()),
        Value::Decimal("0.000000000000000000000000000001".into()),
        text(""),
        text("1e999"),
        text("9999-12-31"),
        text("838:59:59"),
        Value::Bytes(vec![0xff; 9].into()),
        Value::Date(Date { year: 2020, month: 0, day: 31 }),
        Value::DateTime(DateTime {
            date: Date { year: 9999, month: 12, day: 31 },
            ..DateTime::default()
        }),
        Value::Timestamp(Timestamp { seconds: i64::MAX, micro: 999_999, decimals: 6 }),
        Value::Timestamp(Timestamp { seconds: i64::MIN, micro: 0, decimals: 0 }),
        Value::Time(Time {
            negative: true,
            hours: 838,
            minutes: 59,
            seconds: 59,
            ..Time::default()
        }),
        Value::Json(Json { text: r#"{"a": [1"#.into(), typed: Vec::new() }),
        Value::Enum(7),
        Value::Set(u64::MAX),
    ];
    let columns = Columns::named(["a", "b"]);
    let mut expressions: Vec<String> = Vec::new();
    for op in [
        "+", "-", "*", "/", "DIV", "%", "=", "<=>", "<", "&", "|", "^", "<<", ">>", "LIKE",
        "REGEXP",
    ] {
        expressions.push(format!("a {op} b"));
    }
    for to in [
        "SIGNED",
        "UNSIGNED",
        "CHAR(1)",
        "BINARY(3)",
        "DATE",
        "DATETIME(3)",
        "TIME",
        "DECIMAL(9,2)",
        "JSON",
        "YEAR",
        "DOUBLE",
    ] {
        expressions.push(format!("CAST(a AS {to}) IS NULL OR b"));
    }
    for unit in ["MICROSECOND", "SECOND", "DAY", "MONTH", "YEAR", "YEAR_MONTH", "DAY_MICROSECOND"] {
        expressions.push(format!("a + INTERVAL b {unit}"));
        expressions.push(format!("a - INTERVAL b {unit}"));
        expressions.push(format!("EXTRACT({unit} FROM a) + TIMESTAMPDIFF(DAY, a, b)"));
    }
    for text in
        ["-a", "~a", "NOT a", "a IN (b, 1, '2020-01-01')", "a BETWEEN b AND 'x'", "a->'$.a' = b"]
    {
        expressions.push(text.to_string());
    }
    let mut answers = 0;
    for text in expressions {
        let expr = CompiledExpr::compile(&text, &columns, &Zone::utc()).unwrap();
        for a in &values {
            for b in &values {
                let row = Row::full([a.clone(), b.clone()]);
                answers += usize::from(expr.is_true(&row, &columns).is_ok());
                let _ = expr.value_text(&row, &columns);
            }
        }
    }
    assert!(answers > 5_000, "{answers} answers");
}
