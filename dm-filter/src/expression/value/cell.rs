//! What a cell of a row is worth in an expression: its text in UTF-8, its labels by name.

use std::borrow::Cow;

use super::super::collation::Collation;
use super::super::decimal::Decimal;
use super::super::error::EvalError;
use super::super::temporal::Zone;
use super::{Text, Val};
use crate::change::ColumnInfo;
use crate::value::{Encoded, Value};

impl<'a> Val<'a> {
    /// The value of a cell.
    pub(in crate::expression) fn from_cell(
        value: &'a Value<'_>,
        info: &'a ColumnInfo,
        collation: Collation,
        zone: &Zone,
    ) -> Result<Self, EvalError> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Int(v) => Self::Int(*v),
            Value::UInt(v) | Value::Bit(v) => Self::UInt(*v),
            Value::Float(v) => Self::Real(f64::from(*v)),
            Value::Double(v) => Self::Real(*v),
            Value::Decimal(v) => Self::Dec(
                Decimal::parse(v)
                    .ok_or_else(|| EvalError::OutOfRange(format!("`{}`", info.name)))?,
            ),
            Value::Text(v) => Self::Text(Text::column(&**v, collation, None)),
            Value::Encoded(v) => Self::Text(Text::column(decode(v)?, collation, None)),
            Value::Bytes(v) | Value::Geometry(v) | Value::Vector(v) => {
                Self::Bytes(Cow::Borrowed(v))
            }
            Value::Date(v) => Self::Date(*v),
            Value::DateTime(v) => Self::DateTime(*v),
            Value::Timestamp(v) => Self::DateTime(zone.local(*v)),
            Value::Time(v) => Self::Time(*v),
            Value::Year(v) => Self::UInt(u64::from(*v)),
            Value::Enum(0) => Self::Text(Text::column("", collation, Some(0))),
            Value::Enum(v) => {
                let label = usize::try_from(*v).ok().and_then(|i| info.labels.get(i - 1));
                let label = label.ok_or_else(|| EvalError::UnknownLabel(info.name.clone()))?;
                Self::Text(Text::column(label.as_str(), collation, Some(u64::from(*v))))
            }
            Value::Set(v) => Self::Text(Text::column(set_text(*v, info)?, collation, Some(*v))),
            Value::Json(v) => Self::Json(Cow::Borrowed(&v.text)),
        })
    }
}

fn set_text(bits: u64, info: &ColumnInfo) -> Result<String, EvalError> {
    let known = u32::try_from(info.labels.len()).unwrap_or(64);
    if known < 64 && bits >> known != 0 {
        return Err(EvalError::UnknownLabel(info.name.clone()));
    }
    let chosen = info.labels.iter().take(64).enumerate().filter(|(i, _)| bits >> i & 1 == 1);
    Ok(chosen.map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(","))
}

/// Text of another character set as UTF-8.
fn decode(text: &Encoded<'_>) -> Result<String, EvalError> {
    let label = match text.charset {
        "gbk" | "gb2312" => "gbk",
        "gb18030" => "gb18030",
        "big5" => "big5",
        "sjis" | "cp932" => "shift_jis",
        "ujis" | "eucjpms" => "euc-jp",
        "euckr" => "euc-kr",
        "koi8r" => "koi8-r",
        "koi8u" => "koi8-u",
        "latin1" => "windows-1252",
        "cp1250" => "windows-1250",
        "cp1251" => "windows-1251",
        "cp1256" => "windows-1256",
        "cp1257" => "windows-1257",
        "cp866" => "ibm866",
        "latin2" => "iso-8859-2",
        "latin5" => "iso-8859-9",
        "latin7" => "iso-8859-13",
        "greek" => "iso-8859-7",
        "hebrew" => "iso-8859-8",
        "tis620" => "windows-874",
        "macroman" => "macintosh",
        "ascii" | "utf8" | "utf8mb3" | "utf8mb4" => "utf-8",
        "utf16le" => "utf-16le",
        "ucs2" | "utf16" => "utf-16be",
        _ => return Err(EvalError::Charset(text.charset.to_string())),
    };
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())
        .ok_or_else(|| EvalError::Charset(text.charset.to_string()))?;
    encoding
        .decode_without_bom_handling_and_without_replacement(&text.bytes)
        .map(Cow::into_owned)
        .ok_or_else(|| EvalError::Charset(text.charset.to_string()))
}
