//! The kinds of events and the names that DM's filter rules give them.

use std::fmt;
use std::str::FromStr;

/// What DM's documentation calls the type of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A row change.
    Dml,
    /// A statement that an older target structure survives.
    Ddl,
    /// A statement that takes something away or changes its meaning.
    Incompatible,
}

/// One line per event: variant, documentation, DM's name, class, and the event it refines.
macro_rules! events {
    ($($variant:ident, $name:literal, $class:ident, $parent:expr, $doc:literal;)*) => {
        /// A kind of event, by the names that DM's filter rules use.
        ///
        /// A statement has exactly one kind; the groups that a rule may name (`all`, `all dml`,
        /// ...) are [`EventSelector`]s. [`FromStr`] reads names without regard to case and also
        /// takes the `schema` spellings of the `database` events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum EventType {
            $(#[doc = concat!("`", $name, "`: ", $doc)] $variant,)*
        }

        impl EventType {
            /// Every kind, in the order of DM's list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// DM's name of this kind, in lower case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)* }
            }

            /// The wider event that this one is a special case of.
            ///
            /// Older DM calls every `ALTER TABLE` an `alter table`; newer DM tells many of them
            /// apart. A rule that names the wider event still means all of them, so that a rule
            /// written for the one version keeps its meaning with the other.
            pub const fn refines(self) -> Option<Self> {
                match self { $(Self::$variant => $parent,)* }
            }
        }
    };
}

const ALTER: Option<EventType> = Some(EventType::AlterTable);

events! {
    Insert, "insert", Dml, None, "a row came into being.";
    Update, "update", Dml, None, "a row was changed.";
    Delete, "delete", Dml, None, "a row was removed.";
    CreateDatabase, "create database", Ddl, None, "`CREATE DATABASE` or `CREATE SCHEMA`.";
    DropDatabase, "drop database", Incompatible, None, "`DROP DATABASE` or `DROP SCHEMA`.";
    AlterDatabase, "alter database", Ddl, None, "`ALTER DATABASE` or `ALTER SCHEMA`.";
    CreateTable, "create table", Ddl, None, "`CREATE TABLE`, with or without `LIKE`.";
    DropTable, "drop table", Incompatible, None, "`DROP TABLE`.";
    TruncateTable, "truncate table", Incompatible, None, "`TRUNCATE TABLE`.";
    RenameTable, "rename table", Incompatible, None, "`RENAME TABLE`, or `ALTER TABLE ... RENAME`.";
    CreateIndex, "create index", Ddl, None, "`CREATE INDEX`.";
    DropIndex, "drop index", Incompatible, None, "`DROP INDEX`, or `ALTER TABLE ... DROP INDEX`.";
    CreateView, "create view", Ddl, None, "`CREATE VIEW`.";
    DropView, "drop view", Ddl, None, "`DROP VIEW`.";
    AlterTable, "alter table", Ddl, None, "an `ALTER TABLE` that no finer name fits.";
    AddTablePartition, "add table partition", Ddl, ALTER, "`ADD PARTITION`.";
    DropTablePartition, "drop table partition", Incompatible, ALTER, "`DROP PARTITION`.";
    TruncateTablePartition, "truncate table partition", Incompatible, ALTER, "`TRUNCATE PARTITION`.";
    AddForeignKey, "add foreign key", Incompatible, ALTER, "a foreign key is added.";
    DropForeignKey, "drop foreign key", Incompatible, ALTER, "a foreign key is dropped.";
    ValueRangeDecrease, "value range decrease", Incompatible, ALTER, "a column holds fewer values than before.";
    PrecisionDecrease, "precision decrease", Incompatible, ALTER, "a column holds fewer digits than before.";
    ModifyColumn, "modify column", Incompatible, ALTER, "a column's type changes in another way.";
    RenameColumn, "rename column", Incompatible, ALTER, "a column gets another name.";
    RenameIndex, "rename index", Incompatible, ALTER, "an index gets another name.";
    DropColumn, "drop column", Incompatible, ALTER, "a column is dropped.";
    DropPrimaryKey, "drop primary key", Incompatible, ALTER, "the primary key is dropped.";
    DropUniqueKey, "drop unique key", Incompatible, ALTER, "a unique key is dropped.";
    ModifyDefaultValue, "modify default value", Incompatible, ALTER, "a column's default changes.";
    ModifyConstraint, "modify constraint", Incompatible, ALTER, "a constraint is added or changed.";
    ModifyColumnsOrder, "modify columns order", Incompatible, ALTER, "a column moves (`FIRST`, `AFTER`).";
    ModifyCharset, "modify charset", Incompatible, ALTER, "the character set changes.";
    ModifyCollation, "modify collation", Incompatible, ALTER, "the collation changes.";
    RemoveAutoIncrement, "remove auto increment", Incompatible, ALTER, "a column loses `AUTO_INCREMENT`.";
    ModifyStorageEngine, "modify storage engine", Incompatible, ALTER, "`ENGINE = ...`.";
    ReorganizeTablePartition, "reorganize table partition", Incompatible, ALTER, "`REORGANIZE PARTITION`.";
    RebuildTablePartition, "rebuild table partition", Incompatible, ALTER, "`REBUILD PARTITION`.";
    CoalesceTablePartition, "coalesce table partition", Incompatible, ALTER, "`COALESCE PARTITION`.";
    SplitTablePartition, "split table partition", Incompatible, ALTER, "a partition is split.";
    ExchangeTablePartition, "exchange table partition", Incompatible, ALTER, "`EXCHANGE PARTITION`.";
    ModifySchemaCharsetAndCollate, "modify schema charset and collate", Incompatible, Some(EventType::AlterDatabase), "a schema's default character set changes.";
    ModifyTableCharsetAndCollate, "modify table charset and collate", Incompatible, ALTER, "a table's default character set changes.";
    ModifyTableComment, "modify table comment", Incompatible, ALTER, "a table's comment changes.";
    RecoverTable, "recover table", Incompatible, None, "`RECOVER TABLE` (TiDB).";
    AlterTablePartitioning, "alter table partitioning", Incompatible, ALTER, "`PARTITION BY ...`.";
    RemoveTablePartitioning, "remove table partitioning", Incompatible, ALTER, "`REMOVE PARTITIONING`.";
    AddColumn, "add column", Incompatible, ALTER, "a column is added.";
    SetDefaultValue, "set default value", Incompatible, ALTER, "`ALTER COLUMN ... SET DEFAULT`.";
    RebaseAutoId, "rebase auto id", Incompatible, ALTER, "`AUTO_INCREMENT = n`.";
    AddPrimaryKey, "add primary key", Incompatible, ALTER, "a primary key is added.";
    AlterIndexVisibility, "alter index visibility", Incompatible, ALTER, "`ALTER INDEX ... VISIBLE | INVISIBLE`.";
    AlterTtlInfo, "alter ttl info", Incompatible, ALTER, "a time to live is set (TiDB).";
    AlterTtlRemove, "alter ttl remove", Incompatible, ALTER, "a time to live is removed (TiDB).";
    MultiSchemaChange, "multi schema change", Incompatible, ALTER, "several changes in one `ALTER TABLE`.";
}

impl EventType {
    /// True for changes of rows.
    pub const fn is_dml(self) -> bool {
        matches!(self.class(), Class::Dml)
    }

    /// True for statements about structures, compatible or not: what `all ddl` means.
    pub const fn is_ddl(self) -> bool {
        !self.is_dml()
    }

    /// True for the statements that `incompatible ddl changes` means: DM counts every DDL as
    /// incompatible but CREATE and ALTER DATABASE, CREATE TABLE, CREATE INDEX, CREATE and DROP
    /// VIEW, plain ALTER TABLE and ADD PARTITION.
    pub const fn is_incompatible_ddl(self) -> bool {
        matches!(self.class(), Class::Incompatible)
    }

    /// True when `self` is `named` or a special case of it.
    pub fn is_a(self, named: Self) -> bool {
        self == named || self.refines() == Some(named)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word in a rule's `events` that names no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of an event")]
pub struct UnknownEvent(pub String);

impl FromStr for EventType {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const ALIASES: &[(&str, EventType)] = &[
            ("create schema", EventType::CreateDatabase),
            ("drop schema", EventType::DropDatabase),
            ("alter schema", EventType::AlterDatabase),
        ];
        let word = text.trim();
        let named = Self::ALL.iter().copied().find(|e| e.as_str().eq_ignore_ascii_case(word));
        let alias = || ALIASES.iter().find(|(a, _)| a.eq_ignore_ascii_case(word)).map(|(_, e)| *e);
        named.or_else(alias).ok_or_else(|| UnknownEvent(text.to_string()))
    }
}

/// An entry of a rule's `events`: one kind of event, or a group of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventSelector {
    /// `all`
    All,
    /// `all dml`
    AllDml,
    /// `all ddl`, the incompatible ones included.
    AllDdl,
    /// `none`: nothing, whatever follows in the list.
    None,
    /// `none dml`: no row change, whatever follows in the list.
    NoneDml,
    /// `none ddl`: no statement, whatever follows in the list.
    NoneDdl,
    /// `incompatible ddl changes`
    IncompatibleDdl,
    /// One kind, and its special cases.
    Only(EventType),
}

impl EventSelector {
    const GROUPS: &'static [(&'static str, Self)] = &[
        ("all", Self::All),
        ("all dml", Self::AllDml),
        ("all ddl", Self::AllDdl),
        ("none", Self::None),
        ("none dml", Self::NoneDml),
        ("none ddl", Self::NoneDdl),
        ("incompatible ddl changes", Self::IncompatibleDdl),
    ];

    /// What this entry says about an event: `Some(true)` it is meant, `Some(false)` it is not,
    /// `None` ask the next entry.
    pub fn judge(self, event: EventType) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::None => Some(false),
            Self::AllDml => event.is_dml().then_some(true),
            Self::NoneDml => event.is_dml().then_some(false),
            Self::AllDdl => event.is_ddl().then_some(true),
            Self::NoneDdl => event.is_ddl().then_some(false),
            Self::IncompatibleDdl => event.is_incompatible_ddl().then_some(true),
            Self::Only(named) => event.is_a(named).then_some(true),
        }
    }

    /// True for the three groups that exclude.
    pub const fn is_negative(self) -> bool {
        matches!(self, Self::None | Self::NoneDml | Self::NoneDdl)
    }
}

impl fmt::Display for EventSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only(event) => f.write_str(event.as_str()),
            group => {
                let name = Self::GROUPS.iter().find(|(_, g)| g == group).map_or("", |(n, _)| *n);
                f.write_str(name)
            }
        }
    }
}

impl FromStr for EventSelector {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.trim();
        match Self::GROUPS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
            Some((_, group)) => Ok(*group),
            None => text.parse().map(Self::Only),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_in_any_case() {
        for event in EventType::ALL {
            assert_eq!(event.as_str().parse(), Ok(*event));
            assert_eq!(event.as_str().to_uppercase().parse(), Ok(*event));
            assert_eq!(event.to_string().parse(), Ok(EventSelector::Only(*event)));
        }
        for (name, group) in EventSelector::GROUPS {
            assert_eq!(name.to_uppercase().parse(), Ok(*group));
            assert_eq!(&group.to_string(), name);
        }
        assert_eq!("Create Schema".parse(), Ok(EventType::CreateDatabase));
        assert_eq!("insrt".parse::<EventType>(), Err(UnknownEvent("insrt".into())));
        assert!("".parse::<EventSelector>().is_err());
    }

    #[test]
    fn classes_are_those_of_dm() {
        let compatible: Vec<_> = EventType::ALL
            .iter()
            .filter(|e| e.is_ddl() && !e.is_incompatible_ddl())
            .map(|e| e.as_str())
            .collect();
        assert_eq!(
            compatible,
            [
                "create database",
                "alter database",
                "create table",
                "create index",
                "create view",
                "drop view",
                "alter table",
                "add table partition",
            ]
        );
        assert_eq!(EventType::ALL.iter().filter(|e| e.is_dml()).count(), 3);
    }

    #[test]
    fn a_wider_event_means_its_special_cases_but_not_the_reverse() {
        let alter = EventSelector::Only(EventType::AlterTable);
        assert_eq!(alter.judge(EventType::DropColumn), Some(true));
        assert_eq!(EventSelector::Only(EventType::DropColumn).judge(EventType::AlterTable), None);
        // These have statements of their own, so `alter table` does not mean them.
        assert_eq!(alter.judge(EventType::DropIndex), None);
        assert_eq!(alter.judge(EventType::RenameTable), None);
    }
}
