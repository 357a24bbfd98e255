//! The tables of the state file.
//!
//! A change of these goes into [`MIGRATIONS`] as one more step and into [`CREATE`]; [`VERSION`]
//! counts the steps. A file of a later version is refused, one of an earlier version is brought up
//! to date when its owner opens it, in one transaction.

/// The version of the tables that this program writes.
pub(super) const VERSION: i32 = 6;

/// What leads from version N to N + 1, by N - 1.
pub(super) const MIGRATIONS: &[&str] = &[
    // Nothing was ever written into the table of version 1.
    "DROP TABLE xa;
     CREATE TABLE xa (
         lane    INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
         xid     TEXT NOT NULL,
         ordinal INTEGER NOT NULL,
         PRIMARY KEY (lane, xid)
     ) WITHOUT ROWID;
     CREATE TABLE xa_part (
         lane    INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
         ordinal INTEGER NOT NULL,
         part    INTEGER NOT NULL,
         tables  TEXT NOT NULL,
         rows    BLOB NOT NULL,
         PRIMARY KEY (lane, ordinal, part)
     );",
    // Where the last statement of a kind was skipped.
    "ALTER TABLE skipped ADD COLUMN last TEXT NOT NULL DEFAULT ''",
    // Another server has a statement under another number.
    "ALTER TABLE ddl ADD COLUMN gtid TEXT",
    // Where a structure came to be; of those that are there nobody knows.
    "ALTER TABLE tracked_table ADD COLUMN since TEXT",
    // What tables looked like before. Of what has been nothing is known: it begins where each lane stands.
    "CREATE TABLE older_table (
         id        INTEGER PRIMARY KEY,
         lane      INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
         schema    TEXT NOT NULL,
         name      TEXT NOT NULL,
         structure TEXT,
         forgotten INTEGER NOT NULL,
         assumed   INTEGER NOT NULL,
         since     TEXT,
         server    TEXT NOT NULL,
         until     TEXT NOT NULL
     );
     CREATE INDEX older_table_name ON older_table (lane, schema, name, id);
     CREATE TABLE history_start (
         lane     INTEGER PRIMARY KEY REFERENCES lane (id) ON DELETE CASCADE,
         server   TEXT NOT NULL,
         position TEXT NOT NULL,
         folded   INTEGER NOT NULL
     );
     INSERT INTO history_start (lane, server, position, folded)
         SELECT id, '', position, 0 FROM lane WHERE position IS NOT NULL",
];

/// Positions are stored in the text form of `Position`, structures as JSON, times as seconds
/// since the epoch.
pub(super) const CREATE: &str = "
CREATE TABLE task (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    name     TEXT NOT NULL,
    identity TEXT NOT NULL,
    config   TEXT NOT NULL DEFAULT '',
    desired  TEXT NOT NULL DEFAULT 'New',
    actual   TEXT NOT NULL DEFAULT 'New',
    created  INTEGER NOT NULL,
    started  INTEGER,
    updated  INTEGER NOT NULL
);

CREATE TABLE source (
    name      TEXT PRIMARY KEY,
    desired   TEXT,
    actual    TEXT,
    error     TEXT,
    status    TEXT,
    status_at INTEGER,
    updated   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE lane (
    id               INTEGER PRIMARY KEY,
    source           TEXT NOT NULL,
    name             TEXT NOT NULL,
    epoch            INTEGER NOT NULL DEFAULT 0,
    ordinal          INTEGER,
    position         TEXT,
    event_at         INTEGER,
    saved_epoch      INTEGER,
    saved_at         INTEGER,
    high_water       TEXT,
    idempotent_until TEXT,
    UNIQUE (source, name)
);

CREATE TABLE tracked_schema (
    lane      INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    charset   TEXT NOT NULL,
    collation TEXT NOT NULL,
    PRIMARY KEY (lane, name)
) WITHOUT ROWID;

CREATE TABLE tracked_table (
    lane      INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    schema    TEXT NOT NULL,
    name      TEXT NOT NULL,
    structure TEXT NOT NULL,
    version   INTEGER NOT NULL,
    assumed   INTEGER NOT NULL,
    since     TEXT,
    PRIMARY KEY (lane, schema, name)
) WITHOUT ROWID;

CREATE TABLE older_table (
    id        INTEGER PRIMARY KEY,
    lane      INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    schema    TEXT NOT NULL,
    name      TEXT NOT NULL,
    structure TEXT,
    forgotten INTEGER NOT NULL,
    assumed   INTEGER NOT NULL,
    since     TEXT,
    server    TEXT NOT NULL,
    until     TEXT NOT NULL
);
CREATE INDEX older_table_name ON older_table (lane, schema, name, id);

CREATE TABLE history_start (
    lane     INTEGER PRIMARY KEY REFERENCES lane (id) ON DELETE CASCADE,
    server   TEXT NOT NULL,
    position TEXT NOT NULL,
    folded   INTEGER NOT NULL
);

CREATE TABLE online_ddl (
    lane   INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    schema TEXT NOT NULL,
    name   TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (lane, schema, name)
) WITHOUT ROWID;

CREATE TABLE xa (
    lane    INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    xid     TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (lane, xid)
) WITHOUT ROWID;

CREATE TABLE xa_part (
    lane    INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    tables  TEXT NOT NULL,
    rows    BLOB NOT NULL,
    PRIMARY KEY (lane, ordinal, part)
);

CREATE TABLE skipped (
    lane  INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    kind  TEXT NOT NULL,
    count INTEGER NOT NULL,
    last  TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (lane, kind)
) WITHOUT ROWID;

CREATE TABLE note (
    lane  INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (lane, key)
);

CREATE TABLE ddl (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    lane     INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    ordinal  INTEGER NOT NULL,
    position TEXT NOT NULL,
    sql      TEXT NOT NULL,
    before   TEXT NOT NULL,
    started  INTEGER NOT NULL,
    gtid     TEXT
);

CREATE TABLE copy (
    lane           INTEGER PRIMARY KEY REFERENCES lane (id) ON DELETE CASCADE,
    position       TEXT NOT NULL,
    contained_upto TEXT,
    means          TEXT NOT NULL,
    started        INTEGER NOT NULL,
    finished       INTEGER
);

CREATE TABLE copy_schema (
    lane      INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    ord       INTEGER NOT NULL,
    name      TEXT NOT NULL,
    charset   TEXT NOT NULL,
    collation TEXT NOT NULL,
    PRIMARY KEY (lane, ord)
) WITHOUT ROWID;

CREATE TABLE copy_table (
    id             INTEGER PRIMARY KEY,
    lane           INTEGER NOT NULL REFERENCES lane (id) ON DELETE CASCADE,
    ord            INTEGER NOT NULL,
    schema         TEXT NOT NULL,
    name           TEXT NOT NULL,
    create_sql     TEXT NOT NULL,
    structure      TEXT NOT NULL,
    rows           INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,
    generation     INTEGER NOT NULL DEFAULT 1,
    position       TEXT NOT NULL,
    contained_upto TEXT,
    planned        INTEGER NOT NULL DEFAULT 0,
    chunks         INTEGER NOT NULL DEFAULT 0,
    chunks_done    INTEGER NOT NULL DEFAULT 0,
    rows_done      INTEGER NOT NULL DEFAULT 0,
    bytes_done     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (lane, schema, name)
);

CREATE TABLE chunk (
    copy_table INTEGER NOT NULL REFERENCES copy_table (id) ON DELETE CASCADE,
    id         INTEGER NOT NULL,
    range      TEXT NOT NULL,
    rows       INTEGER NOT NULL,
    done       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (copy_table, id)
) WITHOUT ROWID;

CREATE TABLE contained (
    source   TEXT NOT NULL,
    schema   TEXT NOT NULL,
    name     TEXT NOT NULL,
    from_pos TEXT NOT NULL,
    upto     TEXT NOT NULL,
    PRIMARY KEY (source, schema, name)
) WITHOUT ROWID;

CREATE TABLE command (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    verb    TEXT NOT NULL,
    args    TEXT NOT NULL,
    created INTEGER NOT NULL,
    state   TEXT NOT NULL DEFAULT 'queued',
    reply   TEXT,
    replied INTEGER
);
CREATE INDEX command_queued ON command (id) WHERE state = 'queued';

CREATE TABLE override (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    source   TEXT NOT NULL,
    position TEXT NOT NULL,
    action   TEXT NOT NULL,
    sqls     TEXT NOT NULL,
    created  INTEGER NOT NULL,
    used     INTEGER,
    UNIQUE (source, position)
);
";
