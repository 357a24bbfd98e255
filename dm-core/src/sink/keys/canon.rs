//! The canonical form of a part of a key: values that are equal at either side have the same bytes.
//! Of what a collation is not known to do, none is told.

use std::hash::Hash;

use dm_filter::Value;

use crate::schema::{Column, TypeKind};

/// How a column's values are brought into a form in which equal values are equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Canon {
    /// Numbers, dates, ENUM, SET, BIT, binary strings: by value.
    Plain,
    /// Text under a `_bin` collation: its bytes without trailing spaces.
    Binary,
    /// Text under a known collation: printable ASCII in lower case without trailing spaces.
    Fold,
    /// Not told.
    Wild,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub column: usize,
    pub prefix: Option<usize>,
    pub canon: Canon,
}

pub(super) fn canon(mine: Option<&Column>, theirs: Option<&Column>) -> Canon {
    let Some(mine) = mine else { return Canon::Wild };
    let own = canon_of(mine);
    let Some(theirs) = theirs else { return own };
    match (own, canon_of(theirs)) {
        (Canon::Plain, Canon::Plain) => {
            let same_form = mine.ty.kind == theirs.ty.kind || (integer(mine) && integer(theirs));
            let same_scale = mine.ty.decimals.unwrap_or(0) == theirs.ty.decimals.unwrap_or(0);
            if same_form && same_scale && mine.ty.labels == theirs.ty.labels {
                Canon::Plain
            } else {
                Canon::Wild
            }
        }
        (Canon::Binary, Canon::Binary) => Canon::Binary,
        (Canon::Fold | Canon::Binary, Canon::Fold | Canon::Binary) => Canon::Fold,
        _ => Canon::Wild,
    }
}

fn integer(column: &Column) -> bool {
    use TypeKind::{BigInt, Int, MediumInt, SmallInt, TinyInt};
    matches!(column.ty.kind, TinyInt | SmallInt | MediumInt | Int | BigInt)
}

fn canon_of(column: &Column) -> Canon {
    use TypeKind as T;
    match column.ty.kind {
        T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt => Canon::Plain,
        T::Decimal | T::Float | T::Double | T::Bit | T::Year => Canon::Plain,
        T::Date | T::Time | T::DateTime | T::Timestamp => Canon::Plain,
        T::Binary | T::VarBinary | T::TinyBlob | T::Blob | T::MediumBlob | T::LongBlob => {
            Canon::Plain
        }
        T::Enum | T::Set => Canon::Plain,
        T::Char | T::VarChar | T::TinyText | T::Text | T::MediumText | T::LongText => {
            text_canon(&column.ty.collation)
        }
        _ => Canon::Wild,
    }
}

/// Collations under which two strings of printable ASCII are equal exactly when they differ in
/// case and trailing spaces at most (finer ones, like `_as_cs`, are covered: equal still implies
/// the same folded form). Language-specific ones are left out: Hungarian has `ccs` = `cscs`.
fn text_canon(collation: &str) -> Canon {
    if collation.ends_with("_bin") {
        return Canon::Binary;
    }
    let Some((charset, rest)) = collation.split_once('_') else { return Canon::Wild };
    let unicode =
        matches!(charset, "utf8mb4" | "utf8mb3" | "utf8" | "ascii" | "latin1" | "uca1400");
    let rest = rest.strip_prefix("nopad_").unwrap_or(rest);
    let known = matches!(
        rest,
        "general_ci"
            | "general_cs"
            | "unicode_ci"
            | "unicode_520_ci"
            | "unicode_nopad_ci"
            | "unicode_520_nopad_ci"
            | "general_nopad_ci"
            | "general_mysql500_ci"
            | "swedish_ci"
            | "swedish_nopad_ci"
            | "0900_ai_ci"
            | "0900_as_ci"
            | "0900_as_cs"
            | "uca1400_ai_ci"
            | "uca1400_as_ci"
            | "uca1400_as_cs"
            | "ai_ci"
            | "as_ci"
            | "as_cs"
    );
    // `utf8mb4_swedish_ci` tailors Unicode; only latin1's own default is the plain one.
    let swedish = rest.starts_with("swedish") && charset != "latin1";
    if unicode && known && !swedish { Canon::Fold } else { Canon::Wild }
}

impl Part {
    /// Appends the canonical form; false when there is none.
    pub fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let told = match self.canon {
            Canon::Wild => false,
            Canon::Plain => self.plain(value, out),
            Canon::Binary => match value {
                Value::Text(text) => {
                    let text = match self.prefix {
                        Some(n) => text.char_indices().nth(n).map_or(&**text, |(i, _)| &text[..i]),
                        None => text,
                    };
                    out.extend_from_slice(text.trim_end_matches(' ').as_bytes());
                    true
                }
                _ => false,
            },
            Canon::Fold => match value {
                Value::Text(text) if text.bytes().all(|b| (0x20..0x7f).contains(&b)) => {
                    let text = text.get(..self.prefix.unwrap_or(text.len())).unwrap_or(text);
                    out.extend(text.trim_end_matches(' ').bytes().map(|b| b.to_ascii_lowercase()));
                    true
                }
                _ => false,
            },
        };
        // Each part begins with its length, so that ("ab","c") is not ("a","bc").
        let length = (out.len() - start) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        told
    }

    fn plain(&self, value: &Value<'_>, out: &mut Vec<u8>) -> bool {
        match value {
            Value::Int(v) => out.extend_from_slice(&i128::from(*v).to_le_bytes()),
            Value::UInt(v) | Value::Bit(v) | Value::Set(v) => {
                out.extend_from_slice(&i128::from(*v).to_le_bytes());
            }
            Value::Enum(v) => out.extend_from_slice(&i128::from(*v).to_le_bytes()),
            Value::Year(v) => out.extend_from_slice(&i128::from(*v).to_le_bytes()),
            Value::Float(v) => push_double(f64::from(*v), out),
            Value::Double(v) => push_double(*v, out),
            Value::Decimal(v) => push_decimal(v, out),
            Value::Bytes(v) => {
                let cut = self.prefix.unwrap_or(v.len()).min(v.len());
                out.extend_from_slice(&v[..cut]);
            }
            Value::Date(v) => out.extend_from_slice(format!("{v:?}").as_bytes()),
            Value::DateTime(v) => {
                out.extend_from_slice(
                    format!("{:?} {} {} {} {}", v.date, v.hour, v.minute, v.second, v.micro)
                        .as_bytes(),
                );
            }
            Value::Timestamp(v) => {
                out.extend_from_slice(&v.seconds.to_le_bytes());
                out.extend_from_slice(&v.micro.to_le_bytes());
            }
            Value::Time(v) => {
                let micros =
                    (u64::from(v.hours) * 3600 + u64::from(v.minutes) * 60 + u64::from(v.seconds))
                        * 1_000_000
                        + u64::from(v.micro);
                out.push(u8::from(v.negative && micros > 0));
                out.extend_from_slice(&micros.to_le_bytes());
            }
            _ => return false,
        }
        true
    }
}

fn push_double(v: f64, out: &mut Vec<u8>) {
    // Both zeros are equal.
    let v = if v == 0.0 { 0.0 } else { v };
    out.extend_from_slice(&v.to_bits().to_le_bytes());
}

fn push_decimal(text: &str, out: &mut Vec<u8>) {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if !(whole.is_empty() && fraction.is_empty()) {
        out.extend_from_slice(sign.as_bytes());
        out.extend_from_slice(whole.as_bytes());
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}
