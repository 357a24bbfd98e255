# shellcheck shell=bash
# Reading a binlog into statements, and how long a transaction takes to arrive.

script_dm() {
  rm -rf "$WORK/script-state"
  exec "$DM" run "$WORK/script-task.yaml" --source "$WORK/script-source.yaml" --state-dir "$WORK/script-state" --until caught-up
}
script_native() {
  local options=(-v)
  exec "$BIN/mysqlbinlog" "${options[@]}" "$WORK"/binlog/* > "$WORK/script-native.sql"
}

bench_script() {
  local round who bytes
  rm -rf "$WORK/binlog"; mkdir -p "$WORK/binlog"
  sql src -e 'FLUSH BINARY LOGS'
  find "$SERVERS_DATA/src/data" -name 'binlog.0*' | sort | head -n -1 | xargs -I{} cp {} "$WORK/binlog/"
  bytes=$(cat "$WORK"/binlog/* | wc -c)
  cat > "$WORK/script-source.yaml" << YAML
source-id: bench
recorded: {binlog-dir: $WORK/binlog}
YAML
  cat > "$WORK/script-task.yaml" << YAML
name: bench-script
task-mode: incremental
target-database: {script: $WORK/script-dm.sql}
block-allow-list: {all: {do-dbs: [sbtest, wide, hot_row, small_tables, no_key, text_key, documents]}}
mysql-instances:
- {source-id: bench, block-allow-list: all}
YAML
  for ((round = 0; round < ROUNDS; round++)); do
    for who in $(rotate "$round" dm:script_dm mysqlbinlog-v:script_native); do
      rm -f "$WORK"/script-*.sql
      race "script ($((bytes >> 20)) MiB)" "${who%%:*}" "$bytes" 0 "" "" "${who##*:}"
    done
  done
  rm -f "$WORK"/script-*.sql
}

# Rows carry the moment of their statement at the source; a column that only the target has says
# when they were written there.
bench_latency() {
  start late "$FLAVOR"
  sql src -e 'DROP DATABASE IF EXISTS late; CREATE DATABASE late;
    CREATE TABLE late.t (id INT AUTO_INCREMENT PRIMARY KEY, sent DATETIME(6) NOT NULL)'
  sql late -e 'CREATE DATABASE late;
    CREATE TABLE late.t (id INT PRIMARY KEY, sent DATETIME(6) NOT NULL, arrived DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6))'
  cat > "$WORK/late-source.yaml" << YAML
source-id: bench
from: {host: 127.0.0.1, port: $(port src), user: mig, password: mig}
YAML
  cat > "$WORK/late-task.yaml" << YAML
name: bench-late
task-mode: all
target-database: {host: 127.0.0.1, port: $(port late), user: mig, password: mig}
block-allow-list: {all: {do-dbs: [late]}}
syncers: {global: {$SYNC}}
mysql-instances:
- {source-id: bench, block-allow-list: all, syncer-config-name: global}
YAML
  rm -rf "$WORK/state-late"
  "$DM" run "$WORK/late-task.yaml" --source "$WORK/late-source.yaml" --state-dir "$WORK/state-late" > "$WORK/late.out" 2>&1 &
  local dm=$! n=$((LATENCY_SECONDS * 100))
  { for ((i = 0; i < n; i++)); do
      echo 'SET time_zone = "+00:00"; INSERT INTO t (sent) VALUES (NOW(6));'
      read -r -t 0.009 -u "$NEVER" _ || true
    done
  } | sql src late
  local tries=0
  until [ "$(sql late -e 'SELECT COUNT(*) FROM late.t')" = "$n" ] || [ $((tries++)) -gt 600 ]; do
    read -r -t 0.1 -u "$NEVER" _ || true
  done
  kill -INT "$dm" 2> /dev/null || { tail -n 5 "$WORK/late.out" >&2; die "dm ended before it was stopped"; }
  wait "$dm" || true
  local answer
  # The first second pays for the start.
  answer=$(sql late -e 'SELECT TIMESTAMPDIFF(MICROSECOND, sent, arrived) FROM late.t WHERE id > 100 ORDER BY 1' |
    awk '{v[NR] = $1} END {printf "%d transactions: p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms", NR,
      v[int(NR * .5) + 1] / 1000, v[int(NR * .95) + 1] / 1000, v[int(NR * .99) + 1] / 1000, v[NR] / 1000}')
  say "latency at 100 transactions/s ($FLAVOR): $answer"
  echo "$FLAVOR: $answer." >> "$WORK/latency"
  wipe late
}
