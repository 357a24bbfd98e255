//! Dump directories.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_filter::TableName;

use super::fixture;
use crate::error::Result;
use crate::event::{CellKind, CellRef, SourceId};
use crate::source::recorded::{DumpedSource, RecordedOptions, RecordedSource};
use crate::source::{Snapshot, Source};
use crate::testing::ScriptedSource;

const HEADER: &str = "/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n/*!40101 SET NAMES binary*/;\n/*!40103 SET TIME_ZONE='+00:00' */;\n";
const TABLE: &str = "CREATE TABLE `t` (`id` int NOT NULL, `a` varchar(20), `b` blob, `ts` timestamp NULL, \
                     `g` int GENERATED ALWAYS AS (`id`) VIRTUAL, PRIMARY KEY (`id`)) DEFAULT CHARSET=utf8mb4;";

fn source(dir: &Path, follow: bool) -> RecordedSource {
    let dump_dir = Some(dir.to_owned());
    RecordedSource::new(
        SourceId::new("s"),
        RecordedOptions { dump_dir, follow, ..RecordedOptions::default() },
    )
}

/// A directory with schema `d`, table `t` and these further files.
fn dir(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write(
        "d-schema-create.sql",
        b"CREATE DATABASE `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;\n",
    );
    write("d.t-schema.sql", format!("{HEADER}{TABLE}\n").as_bytes());
    files.iter().for_each(|(name, bytes)| write(name, bytes));
    dir
}

fn print(cell: CellRef<'_>, kind: &CellKind) -> String {
    match cell {
        CellRef::Null => "NULL".to_owned(),
        CellRef::Sql(sql) => format!("({sql})"),
        CellRef::Value(bytes) if *kind == CellKind::Text || *kind == CellKind::Number => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        CellRef::Value(bytes) => bytes.escape_ascii().to_string(),
    }
}

fn snapshot(source: &RecordedSource) -> Result<Box<dyn Snapshot>> {
    source.snapshot(&|_| true, &AtomicBool::new(false))
}

/// All rows of all tables, cells separated by bars.
fn read(dir: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let snapshot = snapshot(&source(dir, false))?;
    let mut reader = snapshot.reader()?;
    let mut all = BTreeMap::new();
    for table in snapshot.tables() {
        let rows: &mut Vec<String> = all.entry(table.info.name.to_string()).or_default();
        for chunk in snapshot.plan(&table.info.name, 1)? {
            reader.read(table, &chunk, 10, &mut |block| {
                for row in 0..block.rows() {
                    let cells: Vec<_> = block.row(row).map(|(c, v)| print(v, &c.kind)).collect();
                    rows.push(cells.join("|"));
                }
                Ok(())
            })?;
        }
    }
    Ok(all)
}

fn rows(dir: &Path) -> Vec<String> {
    read(dir).unwrap().remove("`d`.`t`").unwrap()
}

fn code(dir: &Path) -> u32 {
    read(dir).unwrap_err().code().number
}

#[test]
fn notations_of_values() {
    let sql = format!(
        "{HEADER}INSERT INTO `t` (`id`,`a`,`b`,`ts`) VALUES\n(1,'it''s \\'q\\' \\\\ \\n\\0',x'00fF',NULL),\n\
         (-2, \"dq\"\"\\%\" , 0x1 , '2020-01-01 00:00:00') ;\n-- a comment\n\nINSERT INTO d.t (id,a,b,ts) VALUES \
         (TRUE,_utf8mb4'\u{e9}',_binary 'x;',NULL),(3,CONVERT('{{}}' USING utf8mb4),b'1000000001',NULL);\n\
         /*!40000 ALTER TABLE `t` ENABLE KEYS */;\nUNLOCK TABLES;\n"
    );
    let dir = dir(&[("d.t.000000000.sql", sql.as_bytes())]);
    assert_eq!(
        rows(dir.path()),
        [
            "1|it's 'q' \\ \n\0|\\x00\\xff|NULL",
            "-2|dq\"\\%|\\x01|2020-01-01 00:00:00",
            "1|\u{e9}|x;|NULL",
            "3|{}|\\x02\\x01|NULL",
        ]
    );
}

#[test]
fn files_of_every_form_in_the_order_of_numbers() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"INSERT INTO `t` VALUES(2,'gz',NULL,NULL,DEFAULT);\n").unwrap();
    let zst = zstd::encode_all(&b"INSERT INTO `t` VALUES(3,'zst',NULL,NULL,3);\n"[..], 1).unwrap();
    let csv = b"\"id\",\"a\",\"b\",\"ts\"\r\n4,\"a \"\"b\"\" \\\"c\\\" \\\\\",\\N,\\N\r\n5,\"\\\\N\",\"\",\\N\n";
    let dir = dir(&[
        ("d.t.0000000020000.sql.zst", &zst),
        ("d.t.0000000010000.sql.gz", &gz.finish().unwrap()),
        ("d.t.0000000000000.sql", b"INSERT INTO `t` VALUES(1,'plain',NULL,NULL,1);"),
        ("d.t.0000000030000.csv", csv),
        ("d.t-schema-triggers.sql", b"CREATE TRIGGER x;"),
        ("d.v-schema.sql", b"CREATE TABLE `v`(`a` int);"),
        ("d.v-schema-view.sql", b"CREATE VIEW v AS SELECT 1;"),
    ]);
    let all = read(dir.path()).unwrap();
    assert_eq!(all.keys().collect::<Vec<_>>(), ["`d`.`t`"]);
    assert_eq!(
        all["`d`.`t`"],
        [
            "1|plain|NULL|NULL",
            "2|gz|NULL|NULL",
            "3|zst|NULL|NULL",
            "4|a \"b\" \"c\" \\|NULL|NULL",
            "5|\\N||NULL",
        ]
    );
}

#[test]
fn a_file_cut_off_anywhere_is_an_error_or_ends_behind_a_statement() {
    let sql = format!(
        "{HEADER}INSERT INTO `t` (`id`,`a`,`b`,`ts`) VALUES\n(1,'a\\'b',x'00',NULL),\n(12,_utf8mb4'x',0x0f,NULL);\n\
         INSERT INTO `t` (`id`,`a`,`b`,`ts`) VALUES (3,CONVERT('y' USING utf8mb4),NULL,NULL);\n"
    );
    let whole: Vec<usize> =
        sql.match_indices(';').map(|(at, _)| at + 1).filter(|at| *at > HEADER.len()).collect();
    for cut in 0..=sql.len() {
        let dir = dir(&[("d.t.000000000.sql", &sql.as_bytes()[..cut])]);
        match read(dir.path()) {
            Ok(all) => {
                let ended = whole.iter().filter(|end| **end <= cut).count();
                assert_eq!(all["`d`.`t`"].len(), [0, 2, 3][ended], "cut at {cut}");
            }
            Err(error) => {
                assert!([34_002, 34_006].contains(&error.code().number), "{cut}: {error}");
                assert!(error.message().contains("d.t.000000000.sql, offset"), "{cut}: {error}");
            }
        }
    }
}

#[test]
fn a_csv_file_cut_off_anywhere_is_an_error_or_ends_behind_a_line() {
    let csv = b"id,a\n1,\"x\\\"y\"\n22,\\N\n";
    for cut in 0..=csv.len() {
        let dir = dir(&[("d.t.000000000.csv", &csv[..cut])]);
        let lines = csv[..cut].iter().filter(|b| **b == b'\n').count();
        match read(dir.path()) {
            Ok(all) => assert_eq!(all["`d`.`t`"].len(), lines.saturating_sub(1), "cut at {cut}"),
            Err(error) => assert_eq!(error.code().number, 34_002, "{cut}: {error}"),
        }
    }
}

#[test]
fn packed_files_cut_off_are_errors() {
    let text = format!("INSERT INTO `t` (`id`) VALUES {};", vec!["(1)"; 5_000].join(","));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    let (gz, zst) = (gz.finish().unwrap(), zstd::encode_all(text.as_bytes(), 1).unwrap());
    for cut in [1, 10, gz.len() / 2, gz.len() - 9] {
        let dir = dir(&[("d.t.000000000.sql.gz", &gz[..cut])]);
        assert!([34_002, 34_008].contains(&code(dir.path())), "{cut}");
    }
    for cut in [5, zst.len() / 2, zst.len() - 1] {
        let dir = dir(&[("d.t.000000000.sql.zst", &zst[..cut])]);
        assert!([34_002, 34_008].contains(&code(dir.path())), "{cut}");
    }
}

#[test]
fn what_is_no_row_of_values_is_refused() {
    for text in [
        "INSERT INTO `t` VALUES (1,NOW(),NULL,NULL,1);",
        "INSERT INTO `t` VALUES (1+1,'a',NULL,NULL,1);",
        "INSERT INTO `t` VALUES (1,'a');",
        "INSERT INTO `u` VALUES (1,'a',NULL,NULL,1);",
        "INSERT INTO `t` (`id`,`nope`) VALUES (1,2);",
        "INSERT INTO `t` SELECT 1;",
        "INSERT INTO `t` (`id`) VALUES (1) ON DUPLICATE KEY UPDATE id = 2;",
        "INSERT INTO `t` (`id`) VALUES ('x');",
        "INSERT INTO `t` (`id`) VALUES (1); DELETE FROM t;",
        "LOAD DATA LOCAL INFILE 'x' INTO TABLE t;",
        "SET TIME_ZONE='Europe/Paris'; INSERT INTO `t` (`id`) VALUES (1);",
        "SET NAMES klingon; INSERT INTO `t` (`id`) VALUES (1);",
        "INSERT INTO `t` (`id`) VALUES (1); INSERT INTO `t` (`id`,`a`) VALUES (2,'a');",
        "INSERT INTO `t` (`id`,`a`) VALUES (1,_klingon'x');",
        "INSERT INTO `t` (`id`,`b`) VALUES (1,x'0g');",
        "- 1;",
    ] {
        let dir = dir(&[("d.t.000000000.sql", text.as_bytes())]);
        assert_eq!(code(dir.path()), 34_006, "{text}");
    }
}

#[test]
fn what_belongs_together_has_to_be_there() {
    assert_eq!(code(&fixture("no-such-directory")), 34_014);
    let loose = dir(&[("d.u.000000000.sql", b"")]);
    assert_eq!(code(loose.path()), 34_013);
    let homeless = dir(&[("e.u-schema.sql", b"CREATE TABLE u (a INT);")]);
    assert_eq!(code(homeless.path()), 34_012);
    let twice = dir(&[("d.t-schema.sql.gz", b"")]);
    assert_eq!(code(twice.path()), 34_015);
    for bad in
        ["CREATE TABLE `t` (`a` int", "", "CREATE VIEW v AS SELECT 1;", "CREATE TABLE t (a ~);"]
    {
        let dir = dir(&[("d.t-schema.sql", bad.as_bytes())]);
        assert_eq!(code(dir.path()), 34_005, "{bad}");
    }
    let unfinished = dir(&[("metadata.partial", b"")]);
    assert_eq!(code(unfinished.path()), 11_001);
}

#[test]
fn following_needs_a_position() {
    let without = dir(&[]);
    let number = |dir: &Path| snapshot(&source(dir, true)).err().unwrap().code().number;
    assert_eq!(number(without.path()), 11_001);
    let empty = dir(&[("metadata", b"Started dump at: x\nFinished dump at: y\n")]);
    assert_eq!(number(empty.path()), 11_123);
    let none = "SHOW MASTER STATUS:\n\tLog: b.000001\n\tPos: 100\n\tGTID:\n\nSHOW MASTER STATUS: /* AFTER \
                CONNECTION POOL ESTABLISHED */\n\tLog: b.000001\n\tPos: 300\n\tGTID:\n";
    let both = dir(&[("metadata", none.as_bytes())]);
    let snapshot = snapshot(&source(both.path(), true)).unwrap();
    assert_eq!(snapshot.position().to_text(), "b.000001:100;");
    assert_eq!(snapshot.contained_upto().unwrap().to_text(), "b.000001:300;");
}

#[test]
fn names_come_from_the_statements() {
    let dir = dir(&[
        ("d.a.b%c-schema.sql", b"CREATE TABLE `a.b%c` (`x` int);"),
        ("d.a.b%c.sql", b"INSERT INTO `a.b%c` VALUES\n(1);"),
        ("d.x%2Ey-schema.sql", b"CREATE TABLE `x.y` (`x` int);"),
        ("d.x%2Ey.000000000.sql", b"INSERT INTO `x.y` VALUES (2);"),
    ]);
    let all = read(dir.path()).unwrap();
    assert_eq!(all["`d`.`a.b%c`"], ["1"]);
    assert_eq!(all["`d`.`x.y`"], ["2"]);
    let t = TableName::new("d", "x.y");
    assert!(source(dir.path(), false).describe(&t).unwrap().is_some());
}

#[test]
fn dumps_of_real_servers_have_all_their_rows() {
    let count = |path: &str| -> Vec<(String, usize)> {
        let all = read(&fixture(path)).unwrap();
        all.into_iter().map(|(name, rows)| (name, rows.len())).collect()
    };
    let eu =
        [("`shop_eu`.`customers`", 60), ("`shop_eu`.`orders`", 400), ("`shop_eu`.`products`", 40)];
    let us =
        [("`shop_us`.`customers`", 40), ("`shop_us`.`orders`", 250), ("`shop_us`.`visits`", 30)];
    let owned =
        |list: [(&str, usize); 3]| list.map(|(name, rows)| (name.to_owned(), rows)).to_vec();
    assert_eq!(count("quickstart/eu/dump"), owned(eu));
    assert_eq!(count("quickstart/us/dump"), owned(us));
    let products = &read(&fixture("quickstart/eu/dump")).unwrap()["`shop_eu`.`products`"];
    // latin1 bytes of the file, read as what they are.
    assert!(
        products[0].starts_with("P-0001|Caf\u{e9} cr\u{e8}me n\u{b0} 1|1.35|0.125|\\x01|"),
        "{}",
        products[0]
    );
}

#[test]
fn a_dump_replaces_the_copy_of_a_server_and_nothing_else() {
    let dir = dir(&[("d.t.sql", b"INSERT INTO `t` (`id`) VALUES (1);")]);
    let server = ScriptedSource::new("s");
    server.ddl("", "CREATE DATABASE other").unwrap();
    server.ddl("other", "CREATE TABLE u (id INT PRIMARY KEY)").unwrap();
    let source = DumpedSource::new(dir.path().to_owned(), false, Arc::new(server.clone()));
    let all = |_: &TableName| true;
    assert_eq!(source.tables(&all).unwrap(), [TableName::new("d", "t")]);
    let copied = source.snapshot(&all, &AtomicBool::new(false)).unwrap();
    assert_eq!(copied.tables().len(), 1);
    assert_eq!(source.info().unwrap(), server.info().unwrap());
    assert_eq!(source.end_position().unwrap(), server.end_position().unwrap());
    assert!(source.describe(&TableName::new("other", "u")).unwrap().is_some());
    let without = DumpedSource::new(dir.path().to_owned(), true, Arc::new(server));
    let error = without.snapshot(&all, &AtomicBool::new(false)).err().unwrap();
    assert_eq!(error.code().number, 11_001);
}
