# shellcheck shell=bash
# What is copied and what is written. Each workload has a database of its own on the source:
# `make_NAME` creates it, `write_NAME COUNT` commits COUNT transactions, `rows_NAME` says how many
# row changes a transaction has. A new one is three such functions and its name in WORKLOADS.

WORKLOADS="insert_only write_only read_write hot_row small_tables no_key text_key wide documents"

bench_sysbench() {
  local test=$1 action=$2; shift 2
  "$TOOLS/sysbench" "$test" --db-driver=mysql --mysql-host=127.0.0.1 --mysql-port="$(port src)" --mysql-user=mig \
    --mysql-password=mig --mysql-ssl=off --mysql-db=sbtest --tables=4 --table-size="$TABLE_ROWS" "$@" "$action" \
    >> "$WORK/sysbench.log" 2>&1 || die "sysbench $test $action: see $WORK/sysbench.log"
}

make_sbtest() {
  sql src -e 'CREATE DATABASE IF NOT EXISTS sbtest'
  bench_sysbench oltp_insert prepare --threads=2
}
make_insert_only() { :; }
write_insert_only() { bench_sysbench oltp_insert run --threads=8 --time=0 --events="$1"; }
rows_insert_only() { echo 1; }
make_write_only() { :; }
write_write_only() { bench_sysbench oltp_write_only run --threads=8 --time=0 --events="$1"; }
rows_write_only() { echo 4; }
make_read_write() { :; }
write_read_write() { bench_sysbench oltp_read_write run --threads=8 --time=0 --events="$1"; }
rows_read_write() { echo 4; }

make_hot_row() {
  sql src -e 'CREATE DATABASE hot_row; CREATE TABLE hot_row.t (id INT PRIMARY KEY, n BIGINT NOT NULL, v VARCHAR(40));
    INSERT INTO hot_row.t VALUES (1, 0, "")'
}
write_hot_row() {
  awk -v n="$1" 'BEGIN {for (i = 0; i < n; i++) printf "UPDATE t SET n = n + 1, v = \"%d\" WHERE id = 1;\n", i}' | sql src hot_row
}
rows_hot_row() { echo 1; }

SMALL=200
make_small_tables() {
  { echo 'CREATE DATABASE small_tables; USE small_tables;'
    awk -v n="$SMALL" 'BEGIN {for (i = 0; i < n; i++) printf "CREATE TABLE t%d (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40));\n", i}'
  } | sql src
}
write_small_tables() {
  awk -v n="$1" -v m="$SMALL" 'BEGIN {for (i = 0; i < n; i++) printf "INSERT INTO t%d (v) VALUES (\"row %d\");\n", i % m, i}' |
    sql src small_tables
}
rows_small_tables() { echo 1; }

make_no_key() {
  sql src -e 'CREATE DATABASE no_key; CREATE TABLE no_key.t (a INT, b VARCHAR(60), c DATETIME)'
}
write_no_key() {
  awk -v n="$1" 'BEGIN {for (i = 0; i < n; i++) printf "INSERT INTO t VALUES (%d, \"%s\", \"2026-01-01 00:00:00\");\n", i % 7, "the same again"}' |
    sql src no_key
}
rows_no_key() { echo 1; }

make_text_key() {
  sql src -e 'CREATE DATABASE text_key DEFAULT CHARACTER SET utf8mb4;
    CREATE TABLE text_key.t (k VARCHAR(60) PRIMARY KEY, v INT NOT NULL)'
}
write_text_key() {
  local at; at=$(sql src -e 'SELECT COUNT(*) FROM text_key.t')
  awk -v n="$1" -v at="$at" 'BEGIN {for (i = 0; i < n; i++) {
    if (i % 2 == 0) printf "INSERT INTO t VALUES (\"Straße %d — 東京\", %d);\n", at + i / 2, i
    else printf "UPDATE t SET v = v + 1 WHERE k = \"Straße %d — 東京\";\n", at + (i - 1) / 2 }}' | sql src text_key
}
rows_text_key() { echo 1; }

wide_row() {
  cat << 'ROW'
(# % 100, # % 30000, # % 8000000, # * 7, # * 1000003, # % 200, # % 60000, # % 16000000, #, # * 99991,
 # / 7, # / 13, # * 1.25, # * 0.0001, REPEAT(CHAR(97 + # % 26), 20), CONCAT('name ', #, ' — größer'), REPEAT('text ', 20),
 REPEAT(UNHEX('00FF41'), 30), UNHEX(LPAD(HEX(# * 77777), 32, '0')), DATE_ADD('2000-01-01', INTERVAL # % 9000 DAY), '12:34:56.789',
 DATE_ADD('2001-02-03 04:05:06.123456', INTERVAL # MINUTE), '2020-01-01 00:00:00', 1970 + # % 100, ELT(1 + # % 3, 'red', 'green', 'blue'),
 ELT(1 + # % 3, 'x', 'x,y', 'y,z'), # % 1024, CONCAT('{"id": ', #, ', "tags": ["p", "q"], "deep": {"x": [1, 2.5, null, true]}}'))
ROW
}
make_wide() {
  sql src -e "CREATE DATABASE wide DEFAULT CHARACTER SET utf8mb4; CREATE TABLE wide.t (
    id INT AUTO_INCREMENT PRIMARY KEY, c1 TINYINT, c2 SMALLINT, c3 MEDIUMINT, c4 INT, c5 BIGINT,
    u1 TINYINT UNSIGNED, u2 SMALLINT UNSIGNED, u3 MEDIUMINT UNSIGNED, u4 INT UNSIGNED, u5 BIGINT UNSIGNED,
    f FLOAT, d DOUBLE, m DECIMAL(20,6), m2 DECIMAL(30,10), ch CHAR(30), vc VARCHAR(100), tx TEXT, bl BLOB, bi BINARY(16),
    da DATE, ti TIME(3), dt DATETIME(6), ts TIMESTAMP NULL, ye YEAR, en ENUM('red','green','blue'), se SET('x','y','z'),
    bt BIT(10), js JSON, KEY c4 (c4), KEY vc (vc), KEY dt (dt));
    CREATE TABLE wide.numbers (a INT PRIMARY KEY); INSERT INTO wide.numbers VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)"
}
WIDE_COLUMNS="c1,c2,c3,c4,c5,u1,u2,u3,u4,u5,f,d,m,m2,ch,vc,tx,bl,bi,da,ti,dt,ts,ye,en,se,bt,js"
fill_wide() {
  sql src wide -e "INSERT INTO t ($WIDE_COLUMNS) SELECT $(wide_row | tr '\n#' ' a' | sed 's/^(//; s/) *$//') FROM
    (SELECT v.a + 10*w.a + 100*x.a + 1000*y.a + 10000*z.a AS a FROM numbers v, numbers w, numbers x, numbers y, numbers z) n
    WHERE a < $1"
}
write_wide() {
  awk -v n="$1" -v columns="$WIDE_COLUMNS" -v row="$(wide_row | tr '\n' ' ')" 'BEGIN {for (i = 0; i < n; i++) {
    if (i % 2 == 0) { r = row; gsub(/#/, i, r); printf "INSERT INTO t (%s) VALUES %s;\n", columns, r }
    else printf "UPDATE t SET c4 = c4 + 1, vc = \"changed %d\", js = JSON_SET(js, \"$.n\", %d) WHERE id = LAST_INSERT_ID();\n", i, i }}' |
    sql src wide
}
rows_wide() { echo 1; }

# A document of about 3 KB and as many bytes in each row; every second transaction changes a place of the document.
make_documents() {
  sql src -e 'CREATE DATABASE documents DEFAULT CHARACTER SET utf8mb4;
    CREATE TABLE documents.t (id INT AUTO_INCREMENT PRIMARY KEY, doc JSON NOT NULL, raw BLOB NOT NULL)'
}
write_documents() {
  awk -v n="$1" -v q="'" 'BEGIN {
    for (i = 0; i < 40; i++)
      items = items sprintf("%s{\"sku\": \"item %d\", \"price\": %d.5, \"tags\": [\"a\", \"ü\", null]}", i ? ", " : "", i, i)
    for (i = 0; i < n; i++) {
      if (i % 2 == 0)
        printf "INSERT INTO t (doc, raw) VALUES (%s{\"id\": %d, \"items\": [%s]}%s, REPEAT(UNHEX(%s00FF4127%s), 700));\n", q, i, items, q, q, q
      else printf "UPDATE t SET doc = JSON_SET(doc, %s$.id%s, %d) WHERE id = LAST_INSERT_ID();\n", q, q, i
    }}' | sql src documents
}
rows_documents() { echo 1; }
