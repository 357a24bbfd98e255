# shellcheck shell=bash
# One setting of dm against another, and how the cost grows: `sweep` and `scale`.

SWEEP_WORKERS=${SWEEP_WORKERS:-"1 2 4 8 16 32 64"}
SWEEP_BATCHES=${SWEEP_BATCHES:-"1 10 100 1000"}
SWEEP_THREADS=${SWEEP_THREADS:-"1 2 4 8 16"}
SWEEP_STATEMENTS=${SWEEP_STATEMENTS:-"10000 100000 1000000 4000000"}

# Workers and batches of the stream (each against `dm`, which has the defaults), then readers and
# writers of the copy and bytes of a statement.
bench_sweep() {
  local n all="dm"
  for n in $SWEEP_WORKERS; do all+=" dm-$n-100"; done
  for n in $SWEEP_BATCHES; do all+=" dm-16-$n"; done
  CONTENDERS=$all STREAM=${SWEEP_STREAM:-"write_only"} bench_stream
  start copy "$FLAVOR"
  copy_files
  local rows contenders=(dm:copy_dm)
  rows=$(count_rows src)
  for n in $SWEEP_THREADS; do contenders+=("dm-pool-$n:copy_dm_set"); done
  for n in $SWEEP_STATEMENTS; do contenders+=("dm-statement-$n:copy_dm_set"); done
  race_copies "$rows" "${contenders[@]}"
  wipe copy
}

# copy_dm_set dm-pool-N | dm-statement-BYTES: a copy with another number of readers and writers, or other statements.
copy_dm_set() {
  local readers=$COPY_THREADS writers=$COPY_THREADS bytes=1000000
  case $1 in
    dm-pool-*) readers=${1##*-} writers=${1##*-} ;;
    dm-statement-*) bytes=${1##*-} ;;
  esac
  sed "s/^mydumpers:.*/mydumpers: {global: {threads: $readers, statement-size: $bytes}}\nloaders: {global: {pool-size: $writers}}/;
    s/mydumper-config-name: global/&, loader-config-name: global/" "$WORK/copy-task.yaml" > "$WORK/copy-set.yaml"
  rm -rf "$WORK/copy-state"
  exec "$DM" run "$WORK/copy-set.yaml" --source "$WORK/copy-source.yaml" --state-dir "$WORK/copy-state"
}

SCALE_ROWS=${SCALE_ROWS:-"10000 100000 1000000"}
SCALE_TABLES=${SCALE_TABLES:-"1 100 1000 5000"}
SCALE_ROWS_OF_TABLES=${SCALE_ROWS_OF_TABLES:-20000}

# Copies and streams of more and more rows, and of as many rows in more and more tables: seconds and
# CPU per million rows stay the same where the cost is linear.
bench_scale() {
  local n
  start grown "$FLAVOR"
  for n in $SCALE_ROWS; do
    sql src -e "DROP DATABASE IF EXISTS grow; CREATE DATABASE grow;
      CREATE TABLE grow.t (id INT AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL)"
    scale_once "rows $n" "$n" "INSERT INTO grow.t (k, c) SELECT a.a, REPEAT('x', 100) FROM $(numbers "$n")"
  done
  for n in $SCALE_TABLES; do
    { echo 'DROP DATABASE IF EXISTS grow; CREATE DATABASE grow; USE grow;'
      awk -v n="$n" 'BEGIN {for (i = 0; i < n; i++) printf "CREATE TABLE t%d (id INT AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL);\n", i}'
    } | sql src
    scale_once "tables $n" "$SCALE_ROWS_OF_TABLES" "$(awk -v n="$n" -v rows="$SCALE_ROWS_OF_TABLES" \
      'BEGIN {for (i = 0; i < rows; i++) printf "INSERT INTO grow.t%d (k) VALUES (%d);\n", i % n, i}')"
  done
  wipe grown
}

# So many numbers as a derived table `a` of a column `a`.
numbers() {
  echo "(SELECT @n := @n + 1 AS a FROM wide.numbers p, wide.numbers q, wide.numbers r, wide.numbers s, wide.numbers t,
    wide.numbers u, wide.numbers v, (SELECT @n := 0) zero LIMIT $1) a"
}

# scale_once NAME ROWS STATEMENTS: an empty copy, the statements followed, then all of it copied.
scale_once() {
  local name=$1 rows=$2 who
  cat > "$WORK/grown-source.yaml" << YAML
source-id: bench
from: {host: 127.0.0.1, port: $(port src), user: mig, password: mig}
YAML
  for who in all full; do
    cat > "$WORK/grown-$who.yaml" << YAML
name: bench-grown-$who
task-mode: $who
target-database: {host: 127.0.0.1, port: $(port grown), user: mig, password: mig}
block-allow-list: {all: {do-dbs: [grow]}}
mysql-instances:
- {source-id: bench, block-allow-list: all}
YAML
  done
  grown_clear
  rm -rf "$WORK/grown-state"
  (grown_run all --until caught-up) > "$WORK/out" 2>&1 || { tail -n 5 "$WORK/out" >&2; die "dm: $name"; }
  sql src <<< "$3"
  race "stream, $name" dm "$rows" "$(grep -c INSERT <<< "$3")" src grown grown_run all --until caught-up
  grown_clear
  rm -rf "$WORK/grown-state"
  race "copy, $name" dm "$rows" 0 src grown grown_run full
}

grown_clear() { sql grown -e 'DROP DATABASE IF EXISTS grow; DROP DATABASE IF EXISTS dm_meta'; }
grown_run() {
  local who=$1; shift
  exec "$DM" run "$WORK/grown-$who.yaml" --source "$WORK/grown-source.yaml" --state-dir "$WORK/grown-state" "$@"
}
