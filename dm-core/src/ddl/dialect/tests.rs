use super::*;

const MYSQL: ServerVersion = ServerVersion::new(Flavor::MySql, 9, 7, 0);
const MARIADB: ServerVersion = ServerVersion::new(Flavor::MariaDb, 10, 11, 0);

fn to(sql: &str, server: ServerVersion, from: Option<Flavor>) -> String {
    translate(sql, SqlMode::default(), from, server).unwrap().into_owned()
}

#[test]
fn mariadb_to_mysql() {
    let from = Some(Flavor::MariaDb);
    let cases = [
        (
            "CREATE DATABASE d DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci",
            "CREATE DATABASE d DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci",
        ),
        (
            "CREATE TABLE t (json JSON NOT NULL, b JSON DEFAULT '{}')",
            "CREATE TABLE t (json LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (json_valid(`json`)) NOT NULL, \
          b LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (json_valid(`b`)) DEFAULT ('{}'))",
        ),
        (
            "CREATE TABLE t (a TEXT COMPRESSED DEFAULT 'x', u CHAR(36) DEFAULT uuid(), d DATETIME DEFAULT current_timestamp()) ENGINE=Aria PAGE_CHECKSUM=1 ROW_FORMAT=COMPRESSED",
            "CREATE TABLE t (a TEXT  DEFAULT ('x'), u CHAR(36) DEFAULT (uuid()), d DATETIME DEFAULT current_timestamp()) ENGINE=InnoDB  ROW_FORMAT=COMPRESSED",
        ),
        (
            "ALTER TABLE t ADD c VARCHAR(9) COLLATE uca1400_swedish_as_cs AFTER json, CHANGE a a JSON",
            "ALTER TABLE t ADD c VARCHAR(9) COLLATE utf8mb4_sv_0900_as_cs AFTER json, CHANGE a a LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (json_valid(`a`))",
        ),
        (
            "CREATE TABLE t (a CHAR(9) DEFAULT concat('d', ifnull(1, (2)), 'e'), b INT DEFAULT (f(1, 2)))",
            "CREATE TABLE t (a CHAR(9) DEFAULT (concat('d', ifnull(1, (2)), 'e')), b INT DEFAULT (f(1, 2)))",
        ),
        (
            "CREATE TABLE t (a INT /*M!100301 COMPRESSED*/, KEY k (a) IGNORED) COMMENT='COLLATE utf8mb4_uca1400_ai_ci'",
            "CREATE TABLE t (a INT /*M!100301 COMPRESSED*/, KEY k (a) INVISIBLE) COMMENT='COLLATE utf8mb4_uca1400_ai_ci'",
        ),
        (
            "ALTER ONLINE TABLE t WAIT 10 ADD wait INT, ALTER INDEX i IGNORED",
            "ALTER  TABLE t  ADD wait INT, ALTER INDEX i INVISIBLE",
        ),
        ("RENAME TABLE a NOWAIT TO nowait, b WAIT 5 TO a", "RENAME TABLE a  TO nowait, b  TO a"),
        ("CREATE INDEX nowait ON t (wait) NOWAIT", "CREATE INDEX nowait ON t (wait) "),
        ("DROP TABLE a, nowait WAIT 3", "DROP TABLE a, nowait "),
        (
            "SET STATEMENT max_statement_time=1, lock_wait_timeout = 5 FOR SET STATEMENT sql_log_bin=1 FOR \
             ALTER ONLINE TABLE `for` ADD a INT",
            "ALTER  TABLE `for` ADD a INT",
        ),
    ];
    for (sql, expected) in cases {
        assert_eq!(to(sql, MYSQL, from), expected);
    }
}

#[test]
fn a_type_without_a_counterpart_is_refused_by_name() {
    for sql in [
        "CREATE TABLE t (a INT, x INET6)",
        "ALTER TABLE t ADD x UUID",
        "ALTER TABLE t MODIFY x INET4",
    ] {
        let error = translate(sql, SqlMode::default(), None, MYSQL).unwrap_err();
        assert!(error.message().contains("`x`"), "{error}");
        assert_eq!(to(sql, MARIADB, None), sql);
    }
    let sql = "CREATE TABLE t (a INT, x VECTOR(3))";
    for (flavor, number, has) in [
        (Flavor::MariaDb, (11, 8, 2), true),
        (Flavor::MariaDb, (10, 11, 0), false),
        (Flavor::MySql, (9, 7, 0), true),
        (Flavor::MySql, (8, 4, 0), false),
    ] {
        let server = ServerVersion::new(flavor, number.0, number.1, number.2);
        let told = translate(sql, SqlMode::default(), Some(Flavor::MySql), server);
        assert_eq!(told.is_ok(), has, "{server}");
    }
}

#[test]
fn mysql_to_mariadb_and_mysql() {
    let sql = "CREATE TABLE t (j JSON, v VARCHAR(5) COLLATE utf8mb4_0900_as_cs) COLLATE=utf8mb4_de_pb_0900_ai_ci";
    assert_eq!(to(sql, MYSQL, Some(Flavor::MySql)), sql);
    assert_eq!(to(sql, MYSQL, None), sql);
    assert_eq!(
        to(sql, MARIADB, Some(Flavor::MySql)),
        "CREATE TABLE t (j JSON, v VARCHAR(5) COLLATE utf8mb4_uca1400_nopad_as_cs) COLLATE=utf8mb4_uca1400_german2_nopad_ai_ci"
    );
    for (sql, expected) in [
        (
            "CREATE TABLE t (a INT INVISIBLE, g VARCHAR(9) AS (concat(a)) INVISIBLE, UNIQUE KEY k (a) INVISIBLE, \
             KEY USING BTREE (a DESC) COMMENT 'INVISIBLE' VISIBLE, INDEX (g) INVISIBLE)",
            "CREATE TABLE t (a INT INVISIBLE, g VARCHAR(9) AS (concat(a)) INVISIBLE, UNIQUE KEY k (a) IGNORED, \
             KEY USING BTREE (a DESC) COMMENT 'INVISIBLE' NOT IGNORED, INDEX (g) IGNORED)",
        ),
        ("CREATE INDEX i ON d.t (a, b(2)) INVISIBLE", "CREATE INDEX i ON d.t (a, b(2)) IGNORED"),
        (
            "ALTER TABLE t DROP CHECK `check`, ALTER INDEX k INVISIBLE, ADD KEY (a) VISIBLE, ALTER KEY l VISIBLE",
            "ALTER TABLE t DROP CONSTRAINT `check`, ALTER INDEX k IGNORED, ADD KEY (a) NOT IGNORED, \
             ALTER KEY l NOT IGNORED",
        ),
        (
            "ALTER TABLE t ADD p POINT NOT NULL SRID 4326 COMMENT 'SRID 1', ADD s INT UNIQUE KEY CHECK (s > 0) INVISIBLE",
            "ALTER TABLE t ADD p POINT NOT NULL  COMMENT 'SRID 1', ADD s INT UNIQUE KEY CHECK (s > 0) INVISIBLE",
        ),
        // As it is printed: MariaDB reads what is older than its own way.
        (
            "CREATE TABLE `t` (`a` int /*!50606 COLUMN_FORMAT DYNAMIC */ DEFAULT NULL, `p` point /*!80003 SRID 4326 */ DEFAULT NULL /*!80023 INVISIBLE */, KEY `a` (`a`) /*!80000 INVISIBLE */)",
            "CREATE TABLE `t` (`a` int /*!50606  */ DEFAULT NULL, `p` point /*!80003 SRID 4326 */ DEFAULT NULL INVISIBLE, KEY `a` (`a`) IGNORED)",
        ),
    ] {
        assert_eq!(to(sql, MARIADB, None), expected);
        assert_eq!(to(sql, MARIADB, Some(Flavor::MySql)), expected);
        assert_eq!(to(sql, MYSQL, Some(Flavor::MySql)), sql);
    }
    let old = ServerVersion::new(Flavor::MariaDb, 10, 6, 0);
    assert!(to(sql, old, None).contains("COLLATE=utf8mb4_unicode_520_nopad_ci"));
}
