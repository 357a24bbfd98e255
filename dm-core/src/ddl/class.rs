//! Which classes of statements are DDL, and which a migration leaves out by default.

use super::ast::{AlterSpec, PartitionOp};
use super::statement::{Body, Statement, StatementKind as K};

impl K {
    /// True for statements that change structures, objects or accounts.
    pub fn is_ddl(self) -> bool {
        !matches!(
            self,
            K::Empty
                | K::Analyze
                | K::Optimize
                | K::Repair
                | K::Check
                | K::Checksum
                | K::Flush
                | K::Reset
                | K::Kill
                | K::CacheIndex
                | K::Begin
                | K::Commit
                | K::Rollback
                | K::Savepoint
                | K::ReleaseSavepoint
                | K::Xa
                | K::LockTables
                | K::UnlockTables
                | K::Set
                | K::Use
                | K::Insert
                | K::Replace
                | K::Update
                | K::Delete
                | K::LoadData
                | K::Select
                | K::Call
                | K::Do
                | K::Handler
                | K::Prepare
                | K::Show
                | K::Admin
        )
    }

    /// True for statements of rows. With row-based logging none of them carries a change; with
    /// statement-based logging they do, which a migration must refuse.
    pub fn is_dml(self) -> bool {
        matches!(self, K::Insert | K::Replace | K::Update | K::Delete | K::LoadData | K::Call)
    }

    /// True for statements that begin, end or structure transactions.
    pub fn is_transaction(self) -> bool {
        matches!(
            self,
            K::Begin | K::Commit | K::Rollback | K::Savepoint | K::ReleaseSavepoint | K::Xa
        )
    }
}

impl Statement {
    /// True for the statements that a migration never carries: DM's built-in list (maintenance,
    /// temporary tables, triggers, routines, views, events, tablespaces, accounts), judged by
    /// what the statement is, not by how it is spelled.
    pub fn is_skipped_by_default(&self) -> bool {
        match self.kind {
            K::Savepoint
            | K::ReleaseSavepoint
            | K::Flush
            | K::Optimize
            | K::Analyze
            | K::Repair
            | K::Check
            | K::Checksum
            | K::CreateTrigger
            | K::DropTrigger
            | K::CreateProcedure
            | K::AlterProcedure
            | K::DropProcedure
            | K::CreateFunction
            | K::AlterFunction
            | K::DropFunction
            | K::CreatePackage
            | K::DropPackage
            | K::CreateView
            | K::AlterView
            | K::DropView
            | K::Tablespace
            | K::CreateEvent
            | K::AlterEvent
            | K::DropEvent
            | K::Grant
            | K::Revoke
            | K::User
            | K::Role
            | K::SetPassword
            | K::Server
            | K::ResourceGroup
            | K::SpatialReferenceSystem
            | K::Library
            | K::AlterInstance
            | K::Plugin => true,
            _ => self.is_temporary(),
        }
    }

    /// True for CREATE and DROP TEMPORARY TABLE.
    pub fn is_temporary(&self) -> bool {
        match &self.body {
            Body::CreateTable(create) => create.temporary,
            Body::DropTable { temporary, .. } => *temporary,
            _ => false,
        }
    }

    /// The kinds of partition clauses that an ALTER TABLE consists of; empty for others.
    pub fn partition_ops(&self) -> Vec<PartitionOp> {
        let Body::AlterTable(alter) = &self.body else { return Vec::new() };
        let ops = alter.clauses.iter().filter_map(|c| match &c.spec {
            AlterSpec::Partition(op) => Some(*op),
            _ => None,
        });
        ops.collect()
    }
}
