//! Random statements that change a few tables.

/// A small generator of random numbers, so that a failure is repeated by its seed alone.
pub struct Random(pub u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(n).unwrap()).unwrap()
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// The columns that statements are about.
pub const COLUMNS: [&str; 8] = ["a", "b", "c", "d", "E", "f", "g", "h"];
const TABLES: [&str; 5] = ["t1", "t2", "t3", "dm_oracle2.t1", "dm_oracle2.t4"];

fn column(random: &mut Random) -> String {
    let ty = random.pick(&[
        "INT",
        "BIGINT UNSIGNED",
        "TINYINT(1)",
        "INT(7) ZEROFILL",
        "DECIMAL(10,2)",
        "DECIMAL",
        "FLOAT",
        "FLOAT(30)",
        "DOUBLE(8,3)",
        "BIT",
        "YEAR",
        "DATE",
        "TIME(2)",
        "DATETIME",
        "TIMESTAMP NULL",
        "TIMESTAMP(3) NULL",
        "CHAR(5)",
        "VARCHAR(30)",
        "VARCHAR(30) CHARACTER SET latin1",
        "VARCHAR(20) COLLATE utf8mb4_bin",
        "TEXT",
        "TINYTEXT",
        "TEXT(300)",
        "MEDIUMTEXT CHARACTER SET latin1",
        "BINARY(4)",
        "VARBINARY(20)",
        "BLOB",
        "ENUM('x','y')",
        "SET('a','b') CHARACTER SET latin1",
        "JSON",
        "CHAR(4) BINARY",
        "VARCHAR(9) CHARACTER SET binary",
        "NVARCHAR(5)",
    ]);
    let rest = random.pick(&[
        "",
        "",
        "",
        "NOT NULL",
        "NULL",
        "DEFAULT NULL",
        "NOT NULL DEFAULT 1",
        "DEFAULT '2020-1-2'",
        "DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
        "DEFAULT CURRENT_TIMESTAMP(3)",
        "COMMENT 'it''s'",
        "UNIQUE",
        "PRIMARY KEY",
        "NOT NULL UNIQUE",
        "DEFAULT 'x'",
        "DEFAULT 0x41",
        "NOT NULL COMMENT 'x'",
        "INVISIBLE",
        "DEFAULT (1 + 2)",
        "CHECK (1 = 1)",
        "AUTO_INCREMENT KEY",
    ]);
    // What remains of nonsense without strict mode is nothing that anybody relies on.
    let nonsense = ty.starts_with("TIME(") && rest.contains("2020");
    format!("{ty} {}", if nonsense { "" } else { rest })
}

fn parts(random: &mut Random) -> String {
    let count = 1 + random.below(3);
    let part = |random: &mut Random| {
        let prefix = random.pick(&["", "", "", "", "(3)", "(10)", " DESC"]);
        format!("{}{prefix}", random.pick(&COLUMNS))
    };
    let parts: Vec<String> = (0..count).map(|_| part(random)).collect();
    parts.join(", ")
}

fn position(random: &mut Random) -> String {
    match random.below(4) {
        0 => " FIRST".to_owned(),
        1 => format!(" AFTER {}", random.pick(&COLUMNS)),
        _ => String::new(),
    }
}

fn clause(random: &mut Random) -> String {
    let c = random.pick(&COLUMNS);
    let key = random.pick(&["k1", "k2", "a", "b", "c_2", "PRIMARY", "fk1"]);
    match random.below(24) {
        0..=3 => format!("ADD {c} {}{}", column(random), position(random)),
        4 => format!("ADD ({c} {}, {} {})", column(random), random.pick(&COLUMNS), column(random)),
        5..=6 => format!("DROP {c}"),
        7..=8 => format!("MODIFY {c} {}{}", column(random), position(random)),
        9..=10 => {
            format!("CHANGE {c} {} {}{}", random.pick(&COLUMNS), column(random), position(random))
        }
        11 => format!("RENAME COLUMN {c} TO {}", random.pick(&COLUMNS)),
        12 => {
            format!("ALTER {c} SET DEFAULT {}", random.pick(&["5", "'x'", "NULL", "'2020-02-03'"]))
        }
        13 => format!("ALTER {c} DROP DEFAULT"),
        14 => format!("ADD KEY ({})", parts(random)),
        15 => format!(
            "ADD {} {key} ({})",
            random.pick(&["UNIQUE", "INDEX", "FULLTEXT"]),
            parts(random)
        ),
        16 => format!("ADD PRIMARY KEY ({})", parts(random)),
        17 => random
            .pick(&["DROP PRIMARY KEY", "DROP KEY k1", "DROP KEY a", "DROP KEY k2"])
            .to_owned(),
        18 => format!("RENAME KEY {key} TO {}", random.pick(&["k1", "k2", "k3"])),
        19 => format!("CONVERT TO CHARACTER SET {}", random.pick(&["utf8mb4", "latin1", "gbk"])),
        20 => format!("DEFAULT CHARACTER SET {}", random.pick(&["utf8mb4", "latin1"])),
        21 => format!("ADD FOREIGN KEY ({c}) REFERENCES t1 ({})", random.pick(&COLUMNS)),
        22 => random.pick(&["FORCE", "COMMENT 'y'", "DROP FOREIGN KEY t2_ibfk_1"]).to_owned(),
        _ => format!("ADD CHECK ({c} IS NOT NULL)"),
    }
}

/// A statement, which a server may well refuse.
pub fn statement(random: &mut Random) -> String {
    let table = random.pick(&TABLES);
    match random.below(16) {
        0..=2 => {
            let mut elements: Vec<String> = Vec::new();
            for c in &COLUMNS[..2 + random.below(5)] {
                elements.push(format!("{c} {}", column(random)));
            }
            for _ in 0..random.below(4) {
                let kind = random.pick(&["KEY", "UNIQUE", "PRIMARY KEY", "KEY k1", "FULLTEXT"]);
                elements.push(format!("{kind} ({})", parts(random)));
            }
            let options = random.pick(&["", " CHARSET latin1", " COLLATE utf8mb4_bin"]);
            format!("CREATE TABLE {table} ({}){options}", elements.join(", "))
        }
        3 => format!("DROP TABLE {table}"),
        4 => format!("RENAME TABLE {table} TO {}", random.pick(&TABLES)),
        5 => format!("CREATE TABLE {table} LIKE {}", random.pick(&TABLES)),
        6 => format!("CREATE INDEX k{} ON {table} ({})", random.below(3), parts(random)),
        7 => format!("ALTER TABLE {table} RENAME TO {}, {}", random.pick(&TABLES), clause(random)),
        _ => {
            let clauses: Vec<String> = (0..1 + random.below(3)).map(|_| clause(random)).collect();
            format!("ALTER TABLE {table} {}", clauses.join(", "))
        }
    }
}

/// True for what nobody means and the tracker does not follow: a column that is dropped and added
/// again in one statement (a key over it keeps the bytes of the old type as its prefix), and one
/// that is added and changed in one statement (MariaDB takes it); CONVERT together with a change of
/// type (MySQL mixes the lengths of both).
pub fn is_odd(sql: &str, column: &str) -> bool {
    let has = |text: String| sql.contains(&text);
    let adds = has(format!("ADD {column} "))
        || has(format!("ADD ({column} "))
        || has(format!(", {column} "))
        || has(format!(" {column}, ADD"));
    let touches = has(format!("DROP {column},")) || sql.ends_with(&format!("DROP {column}"));
    let changes =
        has("CHANGE ".into()) || ["MODIFY", "ALTER"].iter().any(|w| has(format!("{w} {column} ")));
    let converts = sql.contains("CONVERT") && (has("MODIFY".into()) || has("CHANGE".into()));
    converts || (adds && (touches || changes))
}
