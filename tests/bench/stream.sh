# shellcheck shell=bash
# Following the binlog: dm and native replicas apply the same transactions, one contender after the
# other. Every contender has a server of its own that began as a copy of the source, and all but the
# one whose turn it is stand still (SIGSTOP).

stream_files() {
  local name=$1 extra=$2 meta
  meta="{binlog-name: $START_FILE, binlog-pos: $START_POS}"
  cat > "$WORK/stream-source.yaml" << YAML
source-id: bench
enable-gtid: false
from: {host: 127.0.0.1, port: $(port src), user: mig, password: mig}
YAML
  cat > "$WORK/stream-$name.yaml" << YAML
name: bench
task-mode: incremental
target-database: {host: 127.0.0.1, port: $(port "$name"), user: mig, password: mig}
block-allow-list: {all: {ignore-dbs: [mysql, sys]}}
syncers: {global: {$extra}}
mysql-instances:
- {source-id: bench, block-allow-list: all, syncer-config-name: global, meta: $meta}
YAML
}

apply_dm() {
  exec "$DM" run "$WORK/stream-$1.yaml" --source "$WORK/stream-source.yaml" --state-dir "$WORK/state-$1" --until caught-up
}

apply_native() {
  if [ "$FLAVOR" = mysql ]; then
    local set; set=$(sql src -e 'SELECT @@GLOBAL.gtid_executed' | tr -d '\n\\n')
    sql "$1" -e 'START REPLICA'
    [ "$(sql "$1" -e "SELECT WAIT_FOR_EXECUTED_GTID_SET('$set', 900)")" = 0 ]
  else
    local file pos
    read -r file pos _ <<< "$(sql src -e 'SHOW MASTER STATUS')"
    sql "$1" -e 'START SLAVE'
    [ "$(sql "$1" -e "SELECT MASTER_POS_WAIT('$file', $pos, 900) >= 0")" = 1 ]
  fi
}

native_workers() {
  if [ "$FLAVOR" = mysql ]; then
    sql "$1" -e "SET GLOBAL replica_parallel_workers = $2; CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1',
      SOURCE_PORT = $(port src), SOURCE_USER = 'mig', SOURCE_PASSWORD = 'mig', SOURCE_AUTO_POSITION = 1,
      GET_SOURCE_PUBLIC_KEY = 1" 2> /dev/null
  else
    sql "$1" -e "SET GLOBAL slave_parallel_threads = $2; CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = $(port src),
      MASTER_USER = 'mig', MASTER_PASSWORD = 'mig', MASTER_LOG_FILE = '$START_FILE', MASTER_LOG_POS = $START_POS,
      MASTER_USE_GTID = no"
  fi
}

stop_native() {
  if [ "$FLAVOR" = mysql ]; then sql "$1" -e 'STOP REPLICA'; else sql "$1" -e 'STOP SLAVE'; fi
}

# One contender's turn: NAME is the server, KIND dm or native.
turn() {
  local workload=$1 who=$2 name=$3 txs=$4 rows=$5
  thaw "$name"
  sql "$name" -e 'SELECT 1' > /dev/null
  case $who in
    dm*) race "$workload" "$who" "$rows" "$txs" src "$name" apply_dm "$name" ;;
    *) race "$workload" "$who" "$rows" "$txs" src "$name" apply_native "$name"
       stop_native "$name" ;;
  esac
  freeze "$name"
}

bench_stream() {
  local round who workload txs names=() who_names=() i
  stop src
  start src "$FLAVOR"
  if [ "$FLAVOR" = mysql ]; then
    read -r START_FILE START_POS _ <<< "$(sql src -e 'SHOW BINARY LOG STATUS')"
  else
    read -r START_FILE START_POS _ <<< "$(sql src -e 'SHOW MASTER STATUS')"
  fi
  stop src
  for who in $CONTENDERS; do
    i=${who//[^a-z0-9]/}
    clone src "$i" "$FLAVOR"
    who_names+=("$who:$i"); names+=("$i")
  done
  start src "$FLAVOR"
  for who in "${who_names[@]}"; do
    i=${who##*:}
    case ${who%%:*} in
      dm) stream_files "$i" "$SYNC" ;;
      dm-1to1) stream_files "$i" "batch: 1" ;;
      dm-*) stream_files "$i" "worker-count: $(cut -d- -f2 <<< "${who%%:*}"), batch: $(cut -d- -f3 <<< "${who%%:*}")" ;;
      native-*) native_workers "$i" "$(cut -d- -f2 <<< "${who%%:*}")" ;;
    esac
    rm -rf "$WORK/state-$i"
    freeze "$i"
  done
  for ((round = 0; round < ROUNDS; round++)); do
    for workload in $STREAM; do
      txs=$TXS
      # A transaction of one of these costs more than one of the others.
      case $workload in read_write|wide|documents) txs=$((TXS / 4)) ;; write_only|no_key|text_key) txs=$((TXS / 2)) ;; esac
      "write_$workload" "$txs"
      for who in $(rotate "$round" "${who_names[@]}"); do
        turn "$workload" "${who%%:*}" "${who##*:}" "$txs" $((txs * $("rows_$workload")))
      done
    done
  done
  for i in "${names[@]}"; do thaw "$i"; check_same "$i"; wipe "$i"; done
}

# All tables of the workloads have the source's checksum.
check_same() {
  local table a b
  for table in $(sql src -e "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE table_schema IN
      ('sbtest', 'hot_row', 'no_key', 'text_key') AND table_type = 'BASE TABLE'"); do
    a=$(sql src -e "CHECKSUM TABLE $table" | cut -f2); b=$(sql "$1" -e "CHECKSUM TABLE $table" | cut -f2)
    [ "$a" = "$b" ] || die "$1: $table differs from the source"
  done
}
