//! Types with everything filled in that a statement leaves out: lengths, character sets, the text type that is
//! long enough.
use super::Builder;
use crate::ddl::{Flavor, TypeSpec};
use crate::schema::charset;
use crate::schema::convert;
use crate::schema::table::{ColumnType, TypeKind};

impl Builder<'_> {
    /// A type with its length, character set and collation filled in.
    pub(super) fn column_type(&self, spec: &TypeSpec) -> ColumnType {
        let mut ty = ColumnType::new(spec.kind);
        if self.flavor() == Flavor::MariaDb && spec.collation.is_some() {
            // A collation makes bytes a text.
            ty.kind = convert::text_kind(ty.kind);
        }
        ty.length = spec.length.map(|l| u32::try_from(l).unwrap_or(u32::MAX));
        ty.decimals = spec.decimals;
        ty.unsigned = spec.unsigned;
        ty.zerofill = spec.zerofill;
        ty.labels.clone_from(&spec.labels);
        // MariaDB reads REF_SYSTEM_ID and shows it nowhere.
        ty.srid = spec.srid.filter(|_| self.shown || self.flavor() != Flavor::MariaDb);
        ty.compressed = spec.compressed;
        if spec.kind == TypeKind::Json && self.flavor() == Flavor::MariaDb {
            ty.kind = TypeKind::LongText;
            let collation = spec.collation.as_deref();
            let own = ("utf8mb4", "utf8mb4_bin");
            (ty.charset, ty.collation) = self.defaults.resolve(None, collation, own);
            return ty;
        }
        if ty.kind.is_text() {
            self.text_type(spec, &mut ty);
        }
        settle_length(&mut ty, self.flavor());
        let varying = matches!(ty.kind, TypeKind::VarChar | TypeKind::VarBinary);
        if self.mode.is_strict() || !varying {
            return ty;
        }
        // Without strict mode a VARCHAR that is too long becomes a TEXT that is long enough.
        let bytes = u64::from(ty.length.unwrap_or(0)) * charset::max_bytes(&ty.charset);
        if bytes > 65_535 {
            let text = text_for(bytes, TypeKind::Text);
            ty.kind = if ty.kind == TypeKind::VarChar { text } else { binary_kind(text) };
            ty.length = None;
        }
        ty
    }

    fn text_type(&self, spec: &TypeSpec, ty: &mut ColumnType) {
        let inherited = (self.charset.as_str(), self.collation.as_str());
        let charset = spec.charset.as_deref();
        let (charset, collation) =
            self.defaults.resolve(charset, spec.collation.as_deref(), inherited);
        let binary = spec.binary && spec.collation.is_none();
        ty.collation = if binary { charset::binary_collation(&charset) } else { collation };
        ty.charset = charset;
        let bytes = ty.length.map(|l| u64::from(l) * charset::max_bytes(&ty.charset));
        if let (TypeKind::Text, Some(bytes)) = (ty.kind, bytes) {
            ty.kind = text_for(bytes, least_text(bytes, self.flavor()));
            ty.length = None;
        }
        if ty.charset == "binary" && !matches!(ty.kind, TypeKind::Enum | TypeKind::Set) {
            ty.kind = binary_kind(ty.kind);
            ty.charset.clear();
            ty.collation.clear();
        }
    }
}
pub(in crate::schema) fn binary_kind(kind: TypeKind) -> TypeKind {
    use TypeKind as T;
    match kind {
        T::Char => T::Binary,
        T::VarChar => T::VarBinary,
        T::TinyText => T::TinyBlob,
        T::Text => T::Blob,
        T::MediumText => T::MediumBlob,
        T::LongText => T::LongBlob,
        other => other,
    }
}

/// The smallest type of TEXT(n) and BLOB(n): to MariaDB no length at all is that of 0.
fn least_text(bytes: u64, flavor: Flavor) -> TypeKind {
    if bytes == 0 && flavor == Flavor::MariaDb { TypeKind::Text } else { TypeKind::TinyText }
}

/// The smallest text type, at least this one, that holds so many bytes.
pub(in crate::schema) fn text_for(bytes: u64, least: TypeKind) -> TypeKind {
    match bytes {
        0..=255 => least,
        256..=65_535 => TypeKind::Text,
        65_536..=16_777_215 => TypeKind::MediumText,
        _ => TypeKind::LongText,
    }
}

/// Fills in lengths that are left out, and drops those that say nothing.
fn settle_length(ty: &mut ColumnType, flavor: Flavor) {
    use TypeKind as T;
    match ty.kind {
        T::Decimal => {
            ty.length = ty.length.filter(|l| *l > 0).or(Some(10));
            ty.decimals = ty.decimals.or(Some(0));
        }
        T::Float if ty.decimals.is_none() => {
            if ty.length.is_some_and(|l| l > 24) {
                ty.kind = T::Double;
            }
            ty.length = None;
        }
        T::Char | T::Binary | T::Bit => ty.length = ty.length.or(Some(1)),
        T::Year => ty.length = ty.length.filter(|l| *l == 2),
        T::Time | T::DateTime | T::Timestamp => ty.decimals = ty.decimals.filter(|d| *d > 0),
        T::Blob if ty.length.is_some() => {
            let bytes = u64::from(ty.length.unwrap_or(0));
            ty.kind = binary_kind(text_for(bytes, least_text(bytes, flavor)));
            ty.length = None;
        }
        T::Vector if flavor == Flavor::MySql => ty.length = ty.length.or(Some(2048)),
        T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt if ty.zerofill => {
            ty.length = ty.length.or(Some(match ty.kind {
                T::TinyInt => 3,
                T::SmallInt => 5,
                T::MediumInt => 8,
                T::Int => 10,
                _ => 20,
            }));
        }
        _ => {}
    }
}
