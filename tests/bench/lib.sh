# shellcheck shell=bash
# Common parts of the benches: servers, measuring, results. Sourced by `run`.

die() { echo "bench: $*" >&2; exit 1; }
say() { echo "bench: $*" >&2; }

SERVERS=$ROOT/tests/servers.sh
TICKS=$(getconf CLK_TCK)
# A descriptor that is never ready: `read -t` on it sleeps without starting a process.
exec {NEVER}<> <(:)

# Options that decide how much a commit costs; the same for every server of a run.
durability() {
  if [ "$DURABLE" = 1 ]; then
    echo "--innodb-flush-log-at-trx-commit=1 --sync-binlog=1"
    [ "$1" = mysql ] && echo "--innodb-flush-method=fsync"
  else
    echo "--innodb-flush-log-at-trx-commit=2 --sync-binlog=0"
  fi
}

# start NAME FLAVOR
start() {
  local -a more=(--innodb-buffer-pool-size=512M)
  read -r -d '' -a durable < <(durability "$2" | tr '\n' ' '; printf '\0') || true
  if [ "$2" = mysql ]; then
    more+=(--innodb-redo-log-capacity=1G --max-connections=400)
  else
    more+=(--innodb-log-file-size=512M --max-connections=400)
  fi
  "$SERVERS" start "$1" "$2" "$(port "$1")" "${more[@]}" "${durable[@]}" 2>> "$WORK/servers.log" ||
    die "server $1 does not start: see $WORK/servers.log"
}

# Each name's line in a file: two names never share a port.
port() {
  local line
  line=$(grep -nx -- "$1" "$WORK/ports" 2> /dev/null | cut -d: -f1) || true
  if [ -z "$line" ]; then
    echo "$1" >> "$WORK/ports"
    line=$(wc -l < "$WORK/ports")
  fi
  echo $((PORT + line))
}
stop() { "$SERVERS" stop "$1" 2>> "$WORK/servers.log"; }
wipe() { "$SERVERS" wipe "$1" 2>> "$WORK/servers.log"; }
freeze() { "$SERVERS" freeze "$1" 2>> "$WORK/servers.log"; }
thaw() { "$SERVERS" thaw "$1" 2>> "$WORK/servers.log"; }
sql() { local name=$1; shift; "$SERVERS" client "$name" --default-character-set=utf8mb4 -N "$@"; }
url_args() { echo "--host=127.0.0.1 --port=$(port "$1") --user=mig --password=mig"; }

# A second server with the same rows: the first one's data directory, taken while it stands.
# clone FROM TO FLAVOR
clone() {
  mkdir -p "$SERVERS_DATA/$2"
  chmod 700 "$SERVERS_DATA/$2"
  rm -rf "${SERVERS_DATA:?}/$2/data"
  cp -r --sparse=always "$SERVERS_DATA/$1/data" "$SERVERS_DATA/$2/data"
  rm -f "$SERVERS_DATA/$2/data"/auto.cnf "$SERVERS_DATA/$2/data"/binlog.*
  start "$2" "$3"
}

# Seconds of CPU that a server has used.
server_cpu() {
  local pid fields
  pid=$(cat "$SERVERS_DATA/$1/pid")
  fields=$(sed 's/.*) //' "/proc/$pid/stat")
  awk -v t="$TICKS" '{printf "%.2f", ($12 + $13) / t}' <<< "$fields"
}

children_cpu() {
  local fields
  fields=$(< "/proc/$BASHPID/stat")
  fields=${fields##*) }
  # shellcheck disable=SC2086
  set -- $fields
  CHILDREN=$((${14} + ${15}))
}

# measure COMMAND...: runs it and sets WALL (s), CPU (s, of it and its children), RSS (MB, its own
# peak). Its output goes to $WORK/out; a failure ends the bench.
measure() {
  local before t0 t1 pid peak=0 key value _
  children_cpu; before=$CHILDREN
  t0=$EPOCHREALTIME
  "$@" > "$WORK/out" 2>&1 < /dev/null &
  pid=$!
  while kill -0 "$pid" 2> /dev/null; do
    while read -r key value _; do
      if [ "$key" = VmHWM: ]; then
        [ "$value" -gt "$peak" ] && peak=$value
        break
      fi
    done 2> /dev/null < "/proc/$pid/status" || true
    read -r -t 0.01 -u "$NEVER" _ || true
  done
  wait "$pid" || { tail -n 20 "$WORK/out" >&2; die "failed: $*"; }
  t1=$EPOCHREALTIME
  children_cpu
  WALL=$(awk -v a="$t0" -v b="$t1" 'BEGIN {printf "%.3f", b - a}')
  CPU=$(awk -v a="$before" -v b="$CHILDREN" -v t="$TICKS" 'BEGIN {printf "%.2f", (b - a) / t}')
  RSS=$((peak / 1024))
}

# race WORKLOAD CONTENDER ROWS TXS SOURCE TARGET COMMAND...: measures, and notes a line of results.
race() {
  local workload=$1 who=$2 rows=$3 txs=$4 source=$5 target=$6 s0=0 s1=0 d0=0 d1=0
  shift 6
  [ -n "$source" ] && s0=$(server_cpu "$source")
  [ -n "$target" ] && d0=$(server_cpu "$target")
  measure "$@"
  [ -n "$source" ] && s1=$(server_cpu "$source")
  [ -n "$target" ] && d1=$(server_cpu "$target")
  local source_cpu target_cpu
  source_cpu=$(awk -v a="$s0" -v b="$s1" 'BEGIN {printf "%.2f", b - a}')
  target_cpu=$(awk -v a="$d0" -v b="$d1" 'BEGIN {printf "%.2f", b - a}')
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$workload" "$who" "$FLAVOR" "$WALL" "$rows" "$txs" \
    "$CPU" "$source_cpu" "$target_cpu" "$RSS" >> "$RESULTS"
  say "$(awk -v w="$workload" -v c="$who" -v t="$WALL" -v r="$rows" -v x="$txs" -v u="$CPU" -v s="$source_cpu" \
    -v d="$target_cpu" -v m="$RSS" 'BEGIN {printf "%-22s %-22s %7.2f s %9.0f rows/s %8.0f tx/s  cpu %.2f (source %.2f, target %.2f)  %d MB", w, c, t, r/t, x/t, u, s, d, m}')"
}

# The tables of the results so far, as Markdown: medians over the rounds, and dm's ratio to each.
report() {
  sort -t$'\t' -k3,3 -k1,1 -k2,2 -k4,4n -s "$RESULTS" | awk -F'\t' '
    function flush_group(   i) {
      if (n == 0) return
      i = int((n + 1) / 2)
      split(lines[i], f, "\t")
      key = f[3] "\t" f[1]
      if (!(key in seen)) { seen[key] = 1; order[++groups] = key }
      count[key]++
      row[key, count[key]] = lines[i]
      if (f[2] == "dm") { base[key] = f[4]; all[key] = f[7] + f[8] + f[9] }
      n = 0
    }
    { if ($3 FS $1 FS $2 != last) flush_group(); last = $3 FS $1 FS $2; lines[++n] = $0 }
    END {
      flush_group()
      print "| server | workload | who | s | rows/s | tx/s | CPU of it, s | CPU of source, s | CPU of target, s | CPU per million rows: of it, source, target, s | peak MB | dm: time | dm: CPU of all |"
      print "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
      for (g = 1; g <= groups; g++) {
        key = order[g]
        for (i = 1; i <= count[key]; i++) {
          split(row[key, i], f, "\t")
          ratio = ""; work = ""
          if ((key in base) && f[2] != "dm" && base[key] > 0) ratio = sprintf("%.2fx", f[4] / base[key])
          if ((key in base) && f[2] != "dm" && all[key] > 0) work = sprintf("%.2fx", (f[7] + f[8] + f[9]) / all[key])
          each = (f[1] ~ /^script/) ? "" : sprintf("%.1f, %.1f, %.1f", f[7] / f[5] * 1e6, f[8] / f[5] * 1e6, f[9] / f[5] * 1e6)
          printf "| %s | %s | %s | %.2f | %d | %s | %.2f | %.2f | %.2f | %s | %d | %s | %s |\n", f[3], f[1], f[2], f[4], \
            f[5] / f[4], (f[6] > 0 ? sprintf("%d", f[6] / f[4]) : ""), f[7], f[8], f[9], each, f[10], ratio, work
        }
      }
    }'
}

# Puts a text between two marks of a document.
# splice FILE NAME < text
splice() {
  local begin="<!-- measured: $2 -->" end="<!-- end of $2 -->" text
  text=$(cat)
  if [ ! -e "$1" ] || ! grep -qF -- "$begin" "$1"; then
    printf '\n%s\n%s\n%s\n' "$begin" "$text" "$end" >> "$1"
    return
  fi
  TEXT=$text awk -v b="$begin" -v e="$end" '
    $0 == b { print; print ENVIRON["TEXT"]; skip = 1; next }
    $0 == e { skip = 0 }
    !skip' "$1" > "$WORK/doc"
  cat "$WORK/doc" > "$1"
}
