//! What an entry of the table of codes says.

use std::fmt;

/// One kind of failure.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Code {
    /// The number that users see and search for; DM's where the meaning is the same.
    pub number: u32,
    /// A short name in words joined by `-`.
    pub name: &'static str,
    /// Which part of the program it belongs to.
    pub class: Class,
    /// Which side it usually happens on.
    pub scope: Scope,
    /// How bad it is.
    pub level: Level,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// What the operator can do; empty when only the message can say it.
    pub workaround: &'static str,
}

/// Codes that stay until a person acts, in the order of numbers: DM's, and of ours those at which another
/// attempt would meet the same again, or come in the way of whoever repairs it.
pub(super) const NEEDS_PERSON: &[u32] = &[
    11126, 11129, 24001, 24002, 30001, 30002, 30004, 30005, 30008, 34020, 34021, 36008, 36014,
    36027, 36044, 36045, 36046, 36066, 36067, 36068, 36070, 36208, 36211, 36212, 36902, 36903,
    36904, 61001, 61002, 61003, 61004, 61011,
];

impl Code {
    /// True when a task in the background stays where it is until a person has acted. Errors that a server
    /// answered with are judged by the server's number as well: [`Error::needs_person`](super::Error::needs_person).
    pub fn needs_person(&self) -> bool {
        NEEDS_PERSON.binary_search(&self.number).is_ok()
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl $name {
            /// The word that messages print.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
    };
}

words! {
    /// The part of the program that an error belongs to, in DM's words.
    Class {
        /// Talking to a database server.
        Database = "database",
        /// Helpers that belong to no unit.
        Functional = "functional",
        /// Configuration files.
        Config = "config",
        /// Binlog names and operators.
        BinlogOp = "binlog-op",
        /// Checkpoints and the state file.
        Checkpoint = "checkpoint",
        /// Prechecks.
        TaskCheck = "task-check",
        /// Relay log events.
        RelayEventLib = "relay-event-lib",
        /// The relay log.
        RelayUnit = "relay-unit",
        /// Reading the full copy.
        DumpUnit = "dump-unit",
        /// Writing the full copy.
        LoadUnit = "load-unit",
        /// Following the binlog.
        SyncUnit = "sync-unit",
        /// What DM's master does: locks, scheduling.
        DmMaster = "dm-master",
        /// What DM's worker does: tasks and their stages.
        DmWorker = "dm-worker",
        /// Comparing both sides.
        Validator = "validator",
        /// Tracked table structures.
        SchemaTracker = "schema-tracker",
        /// Tasks and sources known to the state directory.
        Scheduler = "scheduler",
        /// The command line.
        Dmctl = "dmctl",
        /// The HTTP interface.
        Openapi = "openapi",
        /// Foreign errors.
        NotSet = "not-set",
    }
}

words! {
    /// The side that an error happened on.
    Scope {
        /// Not told.
        NotSet = "not-set",
        /// At the source.
        Upstream = "upstream",
        /// At the target.
        Downstream = "downstream",
        /// In this program or its files.
        Internal = "internal",
    }
}

words! {
    /// How bad an error is.
    Level {
        /// A nuisance.
        Low = "low",
        /// Needs attention.
        Medium = "medium",
        /// Replication stands still.
        High = "high",
    }
}
