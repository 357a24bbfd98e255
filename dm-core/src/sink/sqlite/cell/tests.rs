//! The copy and the stream give the same forms, and what would change is refused.

use dm_filter::{Encoded, Json, Time, Timestamp};
use proptest::prelude::*;

use super::charset::{decode, encode};
use super::*;

fn place(storage: Storage) -> Place {
    Place { name: "c".into(), storage, labels: vec!["a".into(), "b".into()] }
}

fn stream(value: &Value<'_>, storage: Storage) -> Result<Cell<'static>, Misfit> {
    of_value(value, None, &place(storage)).map(Cell::into_owned)
}

fn copy(kind: CellKind, bytes: &[u8], storage: Storage) -> Result<Cell<'static>, Misfit> {
    of_copy(&kind, CellRef::Value(bytes), None, &place(storage)).map(Cell::into_owned)
}

/// Each kind of value, how the copy shows it, and what both become.
#[test]
fn copy_and_stream_agree() {
    let time = Time { negative: true, hours: 1, micro: 500_000, decimals: 2, ..Time::default() };
    let stamp = Timestamp { seconds: 1, micro: 0, decimals: 0 };
    let gbk = Encoded { charset: "gbk", bytes: vec![0xb0, 0xa1].into() };
    let dec8 = Encoded { charset: "dec8", bytes: vec![0xe4].into() };
    let json = Json { text: "{\"a\": 1}".into(), typed: vec![] };
    use {CellKind as K, Storage as S};
    let cases: Vec<(Value<'_>, K, &[u8], S, Cell<'_>)> = vec![
        (Value::Int(-5), K::Number, b"-5", S::Integer, Cell::Int(-5)),
        (Value::UInt(7), K::Number, b"00007", S::Integer, Cell::Int(7)),
        (Value::UInt(7), K::Number, b"7", S::Wide, Cell::Int(7)),
        (
            Value::UInt(u64::MAX),
            K::Number,
            b"18446744073709551615",
            S::Wide,
            Cell::text("18446744073709551615"),
        ),
        (
            Value::UInt(1 << 63),
            K::Number,
            b"9223372036854775808",
            S::Wide,
            Cell::text("09223372036854775808"),
        ),
        (Value::Float(0.1), K::Number, b"0.1", S::Single, Cell::Real(f64::from(0.1f32))),
        (Value::Double(0.1), K::Number, b"0.1", S::Real, Cell::Real(0.1)),
        (Value::Decimal("-0.50".into()), K::Number, b"-0.50", S::Decimal, Cell::text("-0.50")),
        (Value::Decimal("1.50".into()), K::Number, b"0001.50", S::Decimal, Cell::text("1.50")),
        (Value::Text("é".into()), K::Text, "é".as_bytes(), S::Text, Cell::text("é")),
        (Value::Encoded(gbk), K::Encoded("gbk"), &[0xb0, 0xa1], S::Text, Cell::text("啊")),
        (Value::Encoded(dec8), K::Encoded("dec8"), &[0xe4], S::Text, Cell::blob(vec![0xe4])),
        (Value::Bytes(vec![0, 255].into()), K::Bytes, &[0, 255], S::Blob, Cell::blob(vec![0, 255])),
        (Value::Time(time), K::Text, b"-01:00:00.50", S::Text, Cell::text("-01:00:00.50")),
        (
            Value::Timestamp(stamp),
            K::Text,
            b"1970-01-01 00:00:01",
            S::Text,
            Cell::text("1970-01-01 00:00:01"),
        ),
        (Value::Year(2024), K::Number, b"2024", S::Integer, Cell::Int(2024)),
        (Value::Year(0), K::Text, b"0000", S::Integer, Cell::Int(0)),
        (Value::Bit(258), K::Bit, &[1, 2], S::Integer, Cell::Int(258)),
        (Value::Bit(u64::MAX), K::Bit, &[255; 8], S::Wide, Cell::text("18446744073709551615")),
        (Value::Enum(2), K::Text, b"b", S::Text, Cell::text("b")),
        (Value::Enum(0), K::Text, b"", S::Text, Cell::text("")),
        (Value::Set(3), K::Text, b"a,b", S::Text, Cell::text("a,b")),
        (Value::Json(json), K::Json, b"{\"a\": 1}", S::Text, Cell::text("{\"a\": 1}")),
        (
            Value::Geometry(vec![0; 25].into()),
            K::Geometry,
            &[0; 25],
            S::Blob,
            Cell::blob(vec![0; 25]),
        ),
        (Value::Vector(vec![1; 4].into()), K::Vector, &[1; 4], S::Blob, Cell::blob(vec![1; 4])),
    ];
    for (value, kind, bytes, storage, want) in cases {
        assert_eq!(stream(&value, storage), Ok(want.clone()), "{value:?}");
        assert_eq!(copy(kind, bytes, storage), Ok(want), "copy of {value:?}");
    }
}

#[test]
fn what_would_change_is_refused() {
    assert_eq!(stream(&Value::UInt(u64::MAX), Storage::Integer), Err(Misfit::Range));
    assert_eq!(stream(&Value::Enum(3), Storage::Text), Err(Misfit::Label));
    assert_eq!(stream(&Value::Set(4), Storage::Text), Err(Misfit::Label));
    assert_eq!(copy(CellKind::Number, b"x", Storage::Wide), Err(Misfit::Number));
    let sql = of_copy(&CellKind::Json, CellRef::Sql("1"), None, &place(Storage::Text));
    assert_eq!(sql, Err(Misfit::Expression));
    let given = of_copy(&CellKind::Json, CellRef::Sql("1"), Some(b"1.50"), &place(Storage::Text));
    assert_eq!(given, Ok(Cell::text("1.50")));
}

#[test]
fn decimals_without_zerofill() {
    for (text, want) in [
        ("0", "0"),
        ("0.00", "0.00"),
        ("-0.00", "0.00"),
        ("00.50", "0.50"),
        ("-00012", "-12"),
        ("100", "100"),
        ("000", "0"),
        (".5", "0.5"),
        ("+1", "1"),
    ] {
        assert_eq!(plain_decimal(text), want, "{text}");
    }
}

proptest! {
    #[test]
    fn wide_integers_keep_their_order(a: u64, b: u64) {
        // SQLite: integers before text, text by bytes.
        let rank = |cell: &Cell<'_>| match cell {
            Cell::Int(v) => (0, *v, String::new()),
            Cell::Text(t) => (1, 0, t.to_string()),
            _ => (2, 0, String::new()),
        };
        prop_assert_eq!(rank(&Cell::wide(a)).cmp(&rank(&Cell::wide(b))), a.cmp(&b));
    }

    #[test]
    fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0usize..8) {
        let charset = ["gbk", "sjis", "utf16", "utf32", "euckr", "latin1", "geostd8", "swe7"][at];
        match decode(charset, &bytes) {
            Cell::Text(text) => {
                let back = encode(charset, &text);
                prop_assert!(back.is_none_or(|b| b.as_ref() == bytes.as_slice()));
            }
            other => prop_assert_eq!(other, Cell::blob(bytes.clone())),
        }
    }
}
