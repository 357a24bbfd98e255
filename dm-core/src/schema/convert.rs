//! What CONVERT TO CHARACTER SET makes of columns, those of the same statement among them.

use super::build;
use super::charset;
use super::table::{Column, ColumnType, TypeKind};
use crate::ddl::{ColumnDef, TypeSpec};

/// CONVERT TO keeps the number of characters that a text can hold: its type may have to grow. Without strict mode
/// a VARCHAR that becomes too long for a row grows, too.
pub(super) fn column(column: &mut Column, charset: &str, collation: &str, strict: bool) {
    use TypeKind as T;
    if column.ty.charset == "binary" {
        return;
    }
    let per_character = charset::max_bytes(charset);
    if let Some(most) = most_bytes(column.ty.kind) {
        let characters = most / charset::max_bytes(&column.ty.charset);
        column.ty.kind = build::text_for(characters * per_character, T::TinyText);
    }
    let bytes = u64::from(column.ty.length.unwrap_or(0)) * per_character;
    if column.ty.kind == T::VarChar && bytes > 65_535 && !strict {
        column.ty.kind = build::text_for(bytes, T::Text);
        column.ty.length = None;
    }
    column.ty.charset = charset.to_owned();
    column.ty.collation = collation.to_owned();
    if charset == "binary" && !matches!(column.ty.kind, T::Enum | T::Set) {
        column.ty.kind = build::binary_kind(column.ty.kind);
        column.ty.charset.clear();
        column.ty.collation.clear();
    }
}

/// A definition as it counts beside CONVERT TO: whatever character set it names, that of the table.
pub(super) fn definition(def: &ColumnDef, charset: &str, collation: &str) -> ColumnDef {
    let mut def = def.clone();
    let bytes = def.ty.charset.as_deref() == Some("binary");
    // MariaDB: bytes with a collation are a text.
    let collated = def.ty.collation.as_deref().is_some_and(|c| c != "binary");
    let text = def.ty.kind.is_text() || (collated && text_kind(def.ty.kind) != def.ty.kind);
    if text && !bytes {
        let binary = def.ty.binary && def.ty.collation.is_none();
        let collation =
            if binary { charset::binary_collation(charset) } else { collation.to_owned() };
        def.ty = TypeSpec {
            charset: Some(charset.to_owned()),
            collation: Some(collation),
            binary: false,
            ..def.ty
        };
    }
    def
}

/// MySQL, where the statement also converts: a column that is changed to a text or blob of no given length gets
/// the one that holds as many characters as the column held before.
pub(super) fn resize(ty: &mut ColumnType, def: &ColumnDef, before: &Column) {
    use TypeKind as T;
    let resized = matches!(
        ty.kind,
        T::TinyText | T::Text | T::MediumText | T::TinyBlob | T::Blob | T::MediumBlob
    );
    if !resized || def.ty.length.is_some() {
        return;
    }
    // Where the character set stays, the server counts the characters as bytes.
    let stays = before.ty.charset == ty.charset;
    let per_character = if stays { 1 } else { charset::max_bytes(&ty.charset) };
    let text = build::text_for(characters(before) * per_character, T::TinyText);
    ty.kind = if ty.charset.is_empty() { build::binary_kind(text) } else { text };
}

/// How many characters a column holds or is shown with.
fn characters(column: &Column) -> u64 {
    use TypeKind as T;
    let ty = &column.ty;
    let length = u64::from(ty.length.unwrap_or(0));
    let widths = ty.labels.iter().map(|l| u64::try_from(l.chars().count()).unwrap_or(u64::MAX));
    match ty.kind {
        T::Char | T::VarChar | T::Binary | T::VarBinary | T::Bit => length,
        // The sign and the point.
        T::Decimal => length + 2,
        T::Enum => widths.max().unwrap_or(0),
        T::Set => widths.map(|width| width + 1).sum(),
        T::LongText | T::LongBlob | T::Json | T::Vector => u64::from(u32::MAX),
        kind if kind.is_geometry() => u64::from(u32::MAX),
        kind => match most_bytes(kind) {
            Some(most) => most / charset::max_bytes(&ty.charset),
            // Numbers and times: few enough for the smallest text.
            None => 20,
        },
    }
}

/// How many bytes a text or blob holds, but for those that hold as many as there are.
fn most_bytes(kind: TypeKind) -> Option<u64> {
    use TypeKind as T;
    match kind {
        T::TinyText | T::TinyBlob => Some(255),
        T::Text | T::Blob => Some(65_535),
        T::MediumText | T::MediumBlob => Some(16_777_215),
        _ => None,
    }
}

/// The type of the characters that bytes of this type become.
pub(super) fn text_kind(kind: TypeKind) -> TypeKind {
    use TypeKind as T;
    match kind {
        T::Binary => T::Char,
        T::VarBinary => T::VarChar,
        T::TinyBlob => T::TinyText,
        T::Blob => T::Text,
        T::MediumBlob => T::MediumText,
        T::LongBlob => T::LongText,
        other => other,
    }
}
