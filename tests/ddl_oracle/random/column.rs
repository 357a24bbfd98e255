//! Random definitions of columns: types with defaults that mostly fit them.

use dm_core::ddl::Flavor;

use super::{Random, View};

/// What kind of default a type takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    Bits,
    Year,
    Date,
    Time,
    Moment,
    Text,
    Member,
    Bytes,
    /// No literal.
    Large,
    Other,
}

const TYPES: &[(&str, Class)] = &[
    ("INT", Class::Number),
    ("INT", Class::Number),
    ("BIGINT UNSIGNED", Class::Number),
    ("TINYINT(1)", Class::Number),
    ("SMALLINT(4) UNSIGNED ZEROFILL", Class::Number),
    ("BOOL", Class::Number),
    ("DECIMAL(10,2)", Class::Number),
    ("DECIMAL", Class::Number),
    ("DEC(5) UNSIGNED", Class::Number),
    ("FLOAT", Class::Number),
    ("FLOAT(30)", Class::Number),
    ("FLOAT(7,3)", Class::Number),
    ("DOUBLE PRECISION", Class::Number),
    ("DOUBLE(8,3)", Class::Number),
    ("BIT(5)", Class::Bits),
    ("YEAR", Class::Year),
    ("DATE", Class::Date),
    ("TIME(2)", Class::Time),
    ("DATETIME", Class::Moment),
    ("DATETIME(3)", Class::Moment),
    ("TIMESTAMP", Class::Moment),
    ("TIMESTAMP(3) NULL", Class::Moment),
    ("CHAR(5)", Class::Text),
    ("CHAR", Class::Text),
    ("VARCHAR(30)", Class::Text),
    ("VARCHAR(300)", Class::Text),
    ("VARCHAR(30) CHARACTER SET latin1", Class::Text),
    ("VARCHAR(20) COLLATE utf8mb4_bin", Class::Text),
    ("CHAR(4) BINARY", Class::Text),
    ("VARCHAR(9) CHARACTER SET binary", Class::Bytes),
    ("NVARCHAR(5)", Class::Text),
    ("CHAR(6) ASCII", Class::Text),
    ("TEXT", Class::Large),
    ("TINYTEXT", Class::Large),
    ("TEXT(300)", Class::Large),
    ("TEXT(90000)", Class::Large),
    ("LONG VARCHAR", Class::Large),
    ("MEDIUMTEXT CHARACTER SET latin1", Class::Large),
    ("LONGTEXT COLLATE utf8mb4_bin", Class::Large),
    ("BINARY(4)", Class::Bytes),
    ("VARBINARY(20)", Class::Bytes),
    ("BLOB", Class::Large),
    ("BLOB(100)", Class::Large),
    ("ENUM('x','y','1')", Class::Member),
    ("SET('x','b') CHARACTER SET latin1", Class::Member),
    ("JSON", Class::Large),
    ("POINT", Class::Other),
    ("GEOMETRY NOT NULL", Class::Other),
    ("SERIAL", Class::Other),
];

const OF_MARIADB: &[(&str, Class)] = &[
    ("INET6", Class::Other),
    ("UUID", Class::Other),
    ("VARCHAR(50) COMPRESSED", Class::Text),
    ("INT WITHOUT SYSTEM VERSIONING", Class::Number),
];

fn defaults(class: Class) -> &'static [&'static str] {
    match class {
        Class::Number => {
            &["1", "'7'", "0", "-1", "1.5", "TRUE", "0x41", "(1 + 2)", "'1.005'", "1e1"]
        }
        Class::Bits => &["1", "b'101'", "'A'", "0x05"],
        Class::Year => &["2020", "'70'", "0", "99"],
        Class::Date => {
            &["'2020-1-2'", "20200102", "(CURRENT_DATE)", "'2020-01-02'", "DATE '2020-03-04'"]
        }
        Class::Time => &["'1:2'", "'10:11:12.567'", "101112", "'-1:00:00'"],
        Class::Moment => &[
            "'2020-1-2'",
            "CURRENT_TIMESTAMP",
            "CURRENT_TIMESTAMP(3)",
            "NOW() ON UPDATE NOW()",
            "LOCALTIME",
            "LOCALTIMESTAMP ON UPDATE LOCALTIMESTAMP",
            "CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)",
            "(NOW())",
        ],
        Class::Text => {
            &["'x'", "'it''s'", "''", "5", "0x41", "('x')", "(UPPER('x'))", "'\\\\'", "\"q\""]
        }
        Class::Member => &["'x'", "'x'", "1", "'X'", "'1'"],
        Class::Bytes => &["'x'", "0x4100", "x'4142'", "''", "(UNHEX('41'))"],
        Class::Large => &["('x')", "(_utf8mb4'y')", "NULL", "'x'", "('[]')"],
        Class::Other => &["NULL"],
    }
}

/// A type with whatever may stand behind it.
pub fn definition(random: &mut Random, view: &View) -> String {
    let mariadb = view.flavor == Flavor::MariaDb;
    let list = if mariadb && random.once_in(12) { OF_MARIADB } else { TYPES };
    let (ty, class) = list[random.below(list.len())];
    let mut rest: Vec<String> = Vec::new();
    match random.below(6) {
        0..=1 => rest.push("NOT NULL".to_owned()),
        2 => rest.push("NULL".to_owned()),
        _ => {}
    }
    match random.below(12) {
        0..=3 => rest.push(format!("DEFAULT {}", random.pick(defaults(class)))),
        4 if !rest.iter().any(|r| r == "NOT NULL") => rest.push("DEFAULT NULL".to_owned()),
        5 if class == Class::Moment => rest.push("ON UPDATE CURRENT_TIMESTAMP".to_owned()),
        _ => {}
    }
    let more = match random.below(30) {
        0..=1 => "COMMENT 'it''s'",
        2..=3 => "UNIQUE",
        4 => "PRIMARY KEY",
        5..=6 => "INVISIBLE",
        7..=8 => "CHECK (1 = 1)",
        9 if class == Class::Number => "AUTO_INCREMENT KEY",
        10 if class == Class::Number => "AUTO_INCREMENT UNIQUE",
        11 => "COLLATE latin1_bin",
        12 => "KEY COMMENT 'x'",
        13 => "COLUMN_FORMAT FIXED",
        _ => "",
    };
    if !more.is_empty() {
        let at = random.below(rest.len() + 1);
        rest.insert(at, more.to_owned());
    }
    rest.insert(0, ty.to_owned());
    rest.join(" ")
}

/// A generated column over one of these.
pub fn generated(random: &mut Random, columns: &[&str]) -> String {
    let of = random.pick(columns);
    let (ty, expression) = match random.below(4) {
        0 => ("INT", format!("{of} + 1")),
        1 => ("VARCHAR(60)", format!("CONCAT(`{of}`, 'x')")),
        2 => ("VARCHAR(90) COLLATE utf8mb4_bin", format!("CONCAT({of}, {})", random.pick(columns))),
        _ => ("CHAR(40)", format!("LEFT({of}, 3)")),
    };
    let kind = random.pick(&["", " VIRTUAL", " STORED", " STORED", " STORED NOT NULL", " UNIQUE"]);
    let always = random.pick(&["", "GENERATED ALWAYS "]);
    format!("{ty} {always}AS ({expression}){kind}")
}
