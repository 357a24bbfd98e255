# shellcheck shell=bash
# Whole copies: dm, mydumper + myloader, mysqldump | mysql, each into an empty target, in turn. `dm` is
# allowed LOAD DATA LOCAL by the target, `dm-insert` is not; with DM_BEFORE (another build) there is
# `dm-before`, too.

copy_files() {
  cat > "$WORK/copy-source.yaml" << YAML
source-id: bench
from: {host: 127.0.0.1, port: $(port src), user: mig, password: mig}
YAML
  cat > "$WORK/copy-task.yaml" << YAML
name: bench-copy
task-mode: full
target-database: {host: 127.0.0.1, port: $(port copy), user: mig, password: mig}
block-allow-list: {all: {do-dbs: [sbtest, wide, small_tables]}}
mydumpers: {global: {threads: $COPY_THREADS}}
mysql-instances:
- {source-id: bench, block-allow-list: all, mydumper-config-name: global}
YAML
}

copy_dm() {
  rm -rf "$WORK/copy-state"
  exec "$DM" run "$WORK/copy-task.yaml" --source "$WORK/copy-source.yaml" --state-dir "$WORK/copy-state"
}

copy_dm_before() { DM=$DM_BEFORE; copy_dm; }

copy_mydumper() {
  local db loads=()
  rm -rf "$WORK/dump"
  # shellcheck disable=SC2046
  "$TOOLS/mydumper" $(url_args src) --regex '^(sbtest|wide|small_tables)\.' --threads "$COPY_THREADS" \
    --trx-consistency-only --outputdir "$WORK/dump" || return 1
  # -e: the target writes its binlog, as it does for the others.
  # shellcheck disable=SC2046
  "$TOOLS/myloader" $(url_args copy) --directory "$WORK/dump" --threads "$COPY_THREADS" --queries-per-transaction 10000 -e
}

copy_mysqldump() {
  set -o pipefail
  # shellcheck disable=SC2046
  "$BIN/mysqldump" $(url_args src) --single-transaction --quick --databases sbtest wide small_tables \
    $([ "$FLAVOR" = mysql ] && echo --set-gtid-purged=OFF) 2> /dev/null |
    "$BIN/mysql" $(url_args copy) 2> /dev/null
}

clear_copy() {
  sql copy -e 'DROP DATABASE IF EXISTS sbtest; DROP DATABASE IF EXISTS wide; DROP DATABASE IF EXISTS small_tables;
    DROP DATABASE IF EXISTS dm_meta'
}

# Counts say that all arrived; the tests compare values.
count_rows() {
  local name=$1 table total=0
  for table in $(sql "$name" -e "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables
      WHERE table_schema IN ('sbtest', 'wide', 'small_tables') AND table_type = 'BASE TABLE' ORDER BY 1"); do
    total=$((total + $(sql "$name" -e "SELECT COUNT(*) FROM $table")))
  done
  echo "$total"
}

# race_copies ROWS WHO:COMMAND...: each into an empty target, in turn.
race_copies() {
  local rows=$1 round who; shift
  for ((round = 0; round < ROUNDS; round++)); do
    for who in $(rotate "$round" "$@"); do
      clear_copy
      sql copy -e "SET GLOBAL local_infile = $([ "${who%%:*}" = dm-insert ] && echo OFF || echo ON)"
      race "copy" "${who%%:*}" "$rows" 0 src copy "${who##*:}" "${who%%:*}"
      [ "$(count_rows copy)" = "$rows" ] || die "${who%%:*}: $(count_rows copy) of $rows rows arrived"
    done
  done
}

bench_copy() {
  local rows contenders=(dm:copy_dm dm-insert:copy_dm mydumper+myloader:copy_mydumper mysqldump+mysql:copy_mysqldump)
  [ -z "${DM_BEFORE:-}" ] || contenders+=(dm-before:copy_dm_before)
  start copy "$FLAVOR"
  copy_files
  rows=$(count_rows src)
  race_copies "$rows" "${contenders[@]}"
  wipe copy
}
