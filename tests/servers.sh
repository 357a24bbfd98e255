#!/usr/bin/env bash
# Real MySQL and MariaDB servers for the tests, on a Debian machine, as root or as a normal user,
# without touching the system.
#
#   servers.sh install [FLAVOR|tools ...]     fetch and unpack (default: all four)
#   servers.sh start NAME FLAVOR PORT [server options ...]
#   servers.sh stop NAME | kill NAME | freeze NAME | thaw NAME | wipe NAME
#   servers.sh stop-all | list
#   servers.sh client NAME [client args ...]  SQL shell on NAME, as root
#   servers.sh env [NAME]                     shell variables, for eval
#   servers.sh guard                          wait for the end of stdin, then wipe every server
#
#   FLAVOR   mysql        MySQL 9.7      Debian sid
#            mariadb      MariaDB 10.11  Debian bookworm
#            mariadb-new  MariaDB 11.8   Debian trixie
#   tools    mydumper, myloader, sysbench (bookworm), percona-toolkit (sid)
#
# How: a private apt state (own lists, own cache, an almost empty dpkg status) resolves and
# downloads each package WITH its whole library closure, libc6 included, from the mirror that this
# machine's apt is configured with; apt checks the signatures. Each set is unpacked into a root of
# its own and its programs run through that root's own ld.so with --library-path, so a sid binary
# does not care how old the host's glibc is. No chroot, no root rights, no maintainer scripts, no
# service.
#
# Environment:
#   SERVERS_CACHE      downloads, roots, templates (default ~/.cache/dm-servers)
#   SERVERS_DATA       data directories, sockets, pid files (default ${TMPDIR:-/tmp}/dm-servers-UID;
#                      keep it short: a socket path has at most 107 bytes)
#   SERVERS_WAIT       seconds that `start` waits for an answer (default 60)
#   SERVERS_KEEP_DEBS  set: keep the package files (sid moves on)
#
# Accounts in every server: root@localhost (no password, socket and loopback TCP) and mig@'%'
# (password mig, all privileges, TCP from 127.0.0.1).
set -euo pipefail
umask 022
unset MYSQL_PWD MYSQL_HOST MYSQL_TCP_PORT MYSQL_UNIX_PORT   # would mislead the clients used here

CACHE=${SERVERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dm-servers}
DATA=${SERVERS_DATA:-${TMPDIR:-/tmp}/dm-servers-$(id -u)}
WAIT=${SERVERS_WAIT:-60}
ALL="mysql mariadb mariadb-new tools"

die() { echo "servers.sh: $*" >&2; exit 1; }
say() { echo "servers.sh: $*" >&2; }

suite_of() {
  case $1 in
    mysql) echo sid ;; mariadb|tools) echo bookworm ;; mariadb-new) echo trixie ;;
    *) die "unknown flavor '$1' (mysql, mariadb, mariadb-new, tools)" ;;
  esac
}
packages_of() {
  case $1 in
    mysql) echo mysql-server-core mysql-client-core ;;
    # mariadb-client has mariadb-dump and mariadb-binlog
    mariadb|mariadb-new) echo mariadb-server-core mariadb-client-core mariadb-client ;;
    tools) echo sysbench mydumper libdbd-mysql-perl libterm-readkey-perl ;;
  esac
}

# ---------------------------------------------------------------- install

# The Debian archive this machine is configured with, in whatever file format.
mirror() {
  local u
  u=$(apt-get indextargets --format '$(CREATED_BY) $(CODENAME) $(REPO_URI)' 2>/dev/null |
      awk '$1=="Packages" && $2=="bookworm"{print $3; exit}')
  [ -n "$u" ] || u=$(apt-get indextargets --format '$(CREATED_BY) $(REPO_URI)' 2>/dev/null |
      awk '$1=="Packages" && $2 ~ /\/debian\/?$/{print $2; exit}')
  [ -n "$u" ] || die "no Debian mirror in this machine's apt configuration"
  echo "$u"
}

# Private apt state for one suite. Packages a server does not need to run are
# declared installed, so that the resolver does not pull them in.
apt_state() {
  local suite=$1 dir=$CACHE/apt/$1 u p
  mkdir -p "$dir"/{lists/partial,cache/archives/partial,empty/partial,state}
  u=$(mirror)
  # The distribution's keyring; it has the keys of sid and trixie as well.
  local key=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$key] $u $suite main" > "$dir/sources.list"
  if [ "$suite" = sid ]; then :; else   # point releases leave superseded versions to -security
    local s="${u%/}"; s="${s%/debian}/debian-security"
    echo "deb [signed-by=$key] $s $suite-security main" >> "$dir/sources.list"
  fi
  : > "$dir/state/status"
  for p in perl perl-base debconf adduser passwd procps psmisc lsof gawk rsync \
           socat iproute2 debianutils fdisk init-system-helpers galera-4 \
           mariadb-common mysql-common libconfig-inifiles-perl; do
    printf '%s\n' "Package: $p" "Status: install ok installed" "Maintainer: none <n@n>" \
      "Architecture: $(dpkg --print-architecture)" "Multi-Arch: allowed" "Version: 9:99" \
      "Provides: perlapi-5.36.0, perlapi-5.36" "Description: placeholder" "" >> "$dir/state/status"
  done
  cat > "$dir/apt.conf" <<CONF
Dir::State "$dir/state";
Dir::State::lists "$dir/lists";
Dir::State::status "$dir/state/status";
Dir::Cache "$dir/cache";
Dir::Cache::archives "$dir/cache/archives";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "-";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
CONF
}

# Package lists of one suite (the hooks of a container image's apt may complain
# when the caller is not root: their noise goes to the log)
fresh_lists() {
  local dir=$CACHE/apt/$1
  apt_state "$1"
  APT_CONFIG=$dir/apt.conf apt-get -qq update > "$dir/update.log" 2>&1 ||
    { cat "$dir/update.log" >&2; die "apt-get update failed for $1"; }
  touch "$dir/.fresh"
}

install_one() {
  local f=$1 suite root dir list d n
  suite=$(suite_of "$f"); root=$CACHE/root/$f; dir=$CACHE/apt/$suite
  [ -e "$root/.done" ] && { say "$f: already there ($(cat "$root/.done"))"; return 0; }
  if [ ! -e "$dir/.fresh" ]; then
    fresh_lists "$suite"
  fi
  # shellcheck disable=SC2046
  # (asked with an empty archive folder: --print-uris leaves out what is cached)
  list=$(APT_CONFIG=$dir/apt.conf apt-get -o Dir::Cache::archives="$dir/empty" -y --print-uris install $(packages_of "$f") |
         awk -F"[' ]+" '/^\x27/{print $3}') || die "apt could not resolve $f"
  [ -n "$list" ] || die "apt could not resolve $f"
  # shellcheck disable=SC2046
  APT_CONFIG=$dir/apt.conf apt-get -qq -y -d install $(packages_of "$f") >&2
  rm -rf "$root"; mkdir -p "$root"
  n=0
  for d in $list; do
    dpkg-deb --fsys-tarfile "$dir/cache/archives/$d" |
      tar -C "$root" -x --keep-directory-symlink --no-same-owner \
        --exclude='./usr/share/doc*' --exclude='./usr/share/man*' \
        --exclude='./usr/share/locale*' --exclude='./usr/share/info*' \
        --exclude='./usr/lib/*/gconv*' --exclude='./usr/share/lintian*' \
        --exclude='./usr/bin/*isam*' --exclude='./usr/bin/aria_*' \
        --exclude='./usr/bin/innochecksum' --exclude='./usr/bin/ibd2sdi' \
        --exclude='./usr/bin/mysql_*' --exclude='./usr/bin/my_print*' --exclude='./usr/bin/mysqlslap' \
        --exclude='./usr/bin/mysqlshow' --exclude='./usr/bin/mysqlimport' --exclude='./usr/bin/perror' &
    n=$((n+1)); [ $((n % 4)) = 0 ] && wait
  done
  wait
  if [ "$f" = tools ]; then          # percona-toolkit: perl scripts, sid's are newer
    dir=$CACHE/apt/sid
    if [ ! -e "$dir/.fresh" ]; then
      fresh_lists sid
    fi
    (cd "$dir/cache/archives" && APT_CONFIG=$dir/apt.conf apt-get -qq download percona-toolkit/sid >&2)
    dpkg-deb --fsys-tarfile "$dir"/cache/archives/percona-toolkit_*.deb |
      tar -C "$root" -x --no-same-owner --exclude='./usr/share/doc*' --exclude='./usr/share/man*'
  fi
  wrappers "$f"
  [ "$f" = tools ] || template "$f"
  case $f in
    tools) "$CACHE/bin/tools/mydumper" --version 2>&1 | head -1 > "$root/.done" ;;
    *) "$CACHE/bin/$f/server" --no-defaults --version | sed 's/.* Ver/Ver/; s/ (--.*//' > "$root/.done" ;;
  esac
  say "$f: installed ($(cat "$root/.done")), $(du -shL "$root" | cut -f1) unpacked"
}

# One small sh script per program: bin/FLAVOR/PROGRAM.
wrappers() {
  local f=$1 root=$CACHE/root/$f bin=$CACHE/bin/$f ld lp b p envs=
  ld=$(find "$root" -name 'ld-linux*.so.*' -type f | head -1)
  [ -n "$ld" ] || die "$f: no ld.so in $root"
  lp=$(dirname "$ld"); lp=$root/usr/lib/${lp##*/}:$root/lib/${lp##*/}
  rm -rf "$bin"; mkdir -p "$bin"
  # client-side authentication plugins (caching_sha2_password) of libmariadb
  p=$(find "$root" -type d -path '*/libmariadb3/plugin' | head -1)
  [ -n "$p" ] && envs="MARIADB_PLUGIN_DIR=$p; export MARIADB_PLUGIN_DIR;"
  # ... and of MySQL's own clients (mysql_native_password, for older servers)
  [ "$f" = mysql ] && envs="LIBMYSQL_PLUGIN_DIR=$root/usr/lib/mysql/plugin; export LIBMYSQL_PLUGIN_DIR;"
  for b in "$root"/usr/bin/* "$root"/usr/sbin/*; do
    [ -f "$b" ] || continue
    if [ "$(head -c4 "$b" | tail -c3)" = ELF ]; then
      printf '#!/bin/sh\n%s\nexec %s --library-path %s --argv0 "$0" %s "$@"\n' \
        "$envs" "$ld" "$lp" "$b" > "$bin/${b##*/}"
    elif [ "$f" = tools ]; then      # percona-toolkit: system perl + unpacked DBD::mysql
      printf '#!/bin/sh\n%s\nPERL5LIB=%s LD_LIBRARY_PATH=%s exec perl %s "$@"\n' "$envs" \
        "$(find "$root/usr/lib" -maxdepth 3 -type d -path '*perl5/5.*' | head -1):$root/usr/share/perl5" \
        "$(dirname "$(find "$root" -name 'libmariadb.so.3' | head -1)")" "$b" > "$bin/${b##*/}"
    else continue; fi
    chmod +x "$bin/${b##*/}"
  done
  # MariaDB's compatibility names are links to links: make the usual names exist
  for p in mysql:mariadb mysqldump:mariadb-dump mysqladmin:mariadb-admin mysqlbinlog:mariadb-binlog; do
    if [ ! -e "$bin/${p%%:*}" ] && [ -e "$bin/${p##*:}" ]; then ln -s "${p##*:}" "$bin/${p%%:*}"; fi
  done
  if [ -e "$bin/mysqld" ]; then ln -sf mysqld "$bin/server"; fi
  if [ -e "$bin/mariadbd" ]; then ln -sf mariadbd "$bin/server"; fi
  if [ "$f" = tools ]; then          # sysbench finds oltp_common.lua by LUA_PATH
    sed -i "2i LUA_PATH='$root/usr/share/sysbench/?.lua;;'; export LUA_PATH" "$bin/sysbench"
  fi
}

as_user() { if [ "$(id -u)" = 0 ]; then echo --user=root; fi; }

# MariaDB's folder of system SQL files, messages and character sets
share_of() { dirname "$(find "$CACHE/root/$1/usr/share" -name maria_add_gis_sp_bootstrap.sql | head -1)"; }

# An initialised data directory, made once; `start` copies it.
template() {
  local f=$1 root=$CACHE/root/$f t=$CACHE/template/$f q s
  rm -rf "$t"; mkdir -p "${t%/*}"
  q="CREATE USER 'mig'@'%' IDENTIFIED BY 'mig'; GRANT ALL PRIVILEGES ON *.* TO 'mig'@'%' WITH GRANT OPTION;"
  if [ "$f" = mysql ]; then
    echo "$q" > "$t.sql"
    "$CACHE/bin/$f/server" --no-defaults --initialize-insecure $(as_user) \
      --basedir="$root/usr" --datadir="$t" --init-file="$t.sql" --log-error="$t.log" \
      --innodb-redo-log-capacity=8M --innodb-flush-method=nosync --skip-log-bin \
      || { tail -5 "$t.log" >&2; die "$f: initialize failed"; }
    rm -f "$t/auto.cnf" "$t.sql"
  else
    # what mariadb-install-db does, without its need to run helper binaries
    # (--bootstrap wants one statement a line; the files are mysql_*.sql in
    # 10.11 and mariadb_*.sql in 11.8)
    s=$(share_of "$f")
    mkdir -p "$t/mysql"
    { printf '%s\n' "CREATE DATABASE IF NOT EXISTS mysql;" "USE mysql;" "SET @auth_root_socket=NULL;"
      cat "$s"/m*_system_tables.sql "$s"/m*_performance_tables.sql "$s"/m*_system_tables_data.sql \
          "$s"/maria_add_gis_sp_bootstrap.sql "$s"/m*_sys_schema.sql
      printf '\n%s\n' "FLUSH PRIVILEGES;"; echo "$q" | sed 's/; /;\n/g'
    } | "$CACHE/bin/$f/server" --no-defaults --bootstrap $(as_user) --basedir="$root/usr" --datadir="$t" \
      --lc-messages-dir="$s" --character-sets-dir="$s/charsets" --enforce-storage-engine= \
      --innodb-log-file-size=8M --innodb-flush-log-at-trx-commit=0 > "$t.log" 2>&1 \
      || { tail -5 "$t.log" >&2; die "$f: bootstrap failed"; }
  fi
}

# ---------------------------------------------------------------- run

# pid of NAME, if it is alive and is ours (its command line names our datadir)
pid_of() {
  local d=$DATA/$1 p
  [ -r "$d/pid" ] || return 1
  read -r p < "$d/pid" || return 1
  [ -r "/proc/$p/cmdline" ] && tr '\0' '\n' < "/proc/$p/cmdline" | grep -qxF -- "--datadir=$d/data" && echo "$p"
}

start() {
  local name=$1 f=$2 port=$3 d p root s opts t0; shift 3
  d=$DATA/$name; root=$CACHE/root/$f
  mkdir -p "$DATA"
  suite_of "$f" > /dev/null
  [ -e "$root/.done" ] || "$0" install "$f"
  if p=$(pid_of "$name"); then say "$name: already running (pid $p)"; return 0; fi
  [ ${#d} -le 95 ] || die "SERVERS_DATA is too long for a socket path"
  if [ ! -e "$d/data" ]; then
    mkdir -p "$d"; chmod 700 "$d"
    cp -r --reflink=auto --sparse=always "$CACHE/template/$f" "$d/data"
  fi
  mkdir -p "$d/tmp"
  # No fsync: a killed server loses nothing, a machine without power does. All can be overridden by
  # the options given to `start`, which come later.
  opts=(--no-defaults --basedir="$root/usr" --datadir="$d/data" --tmpdir="$d/tmp"
        --port="$port" --bind-address=127.0.0.1 --socket="$d/sock"
        --pid-file="$d/server.pid" --log-error="$d/error.log"
        --server-id="$port" --log-bin=binlog --sync-binlog=0
        --secure-file-priv= --skip-name-resolve=OFF
        --innodb-flush-log-at-trx-commit=2 --innodb-doublewrite=OFF
        --innodb-buffer-pool-size=256M --local-infile=ON)
  if [ "$f" = mysql ]; then
    opts+=(--gtid-mode=ON --enforce-gtid-consistency=ON --mysqlx=OFF
           --innodb-flush-method=nosync --innodb-redo-log-capacity=128M
           --innodb-dedicated-server=OFF --log-error-verbosity=2)
  else
    s=$(share_of "$f")
    opts+=(--lc-messages-dir="$s" --character-sets-dir="$s/charsets"
           --plugin-dir="$root/usr/lib/mysql/plugin"
           --innodb-log-file-size=128M --binlog-format=ROW
           --log-slave-updates=ON --gtid-strict-mode=ON)
  fi
  # setsid and closed descriptors: the server must not hold the caller's pipe
  setsid "$CACHE/bin/$f/server" "${opts[@]}" $(as_user) "$@" < /dev/null >> "$d/out.log" 2>&1 &
  p=$!
  echo "$p" > "$d/pid"; echo "$f" > "$d/flavor"; echo "$port" > "$d/port"
  t0=$SECONDS
  until [ -S "$d/sock" ] && "$CACHE/bin/$f/mysqladmin" --no-defaults -uroot -S "$d/sock" --connect-timeout=2 ping > /dev/null 2>&1; do
    kill -0 "$p" 2> /dev/null || { tail -n 8 "$d/error.log" "$d/out.log" >&2; die "$name: the server ended"; }
    [ $((SECONDS - t0)) -lt "$WAIT" ] || die "$name: no answer in $WAIT s; see $d/error.log"
    sleep 0.1
  done
  say "$name: $f on 127.0.0.1:$port, socket $d/sock, pid $p"
}

# Not gone and not a zombie (a container's init may be slow to reap; a zombie
# whose other threads are gone too has released its files and ports)
alive() {
  local s t
  s=$(sed 's/.*) //' "/proc/$1/stat" 2> /dev/null) || return 1
  t=(/proc/"$1"/task/*)
  case $s in ''|Z*|X*) [ ${#t[@]} -gt 1 ] ;; esac
}

# stop NAME [TERM|KILL]: KILL is a crash, for crash tests
stop() {
  local name=$1 sig=${2:-TERM} p i
  p=$(pid_of "$name") || { say "$name: not running"; rm -f "$DATA/$name/pid"; return 0; }
  kill "-$sig" "$p"
  for ((i = 0; i < 600; i++)); do
    alive "$p" || break
    sleep 0.05
  done
  if alive "$p"; then say "$name: killed after 30 s"; kill -KILL "$p"; fi
  # after a crash; mysqld takes a zombie's pid in sock.lock for a running server
  rm -f "$DATA/$name/pid" "$DATA/$name/sock" "$DATA/$name/sock.lock"
}

names() { local d; for d in "$DATA"/*/; do [ -e "${d}flavor" ] && basename "$d"; done; true; }

case ${1:-} in
  install) shift; [ $# -gt 0 ] || set -- $ALL
    mkdir -p "$CACHE"
    exec 9> "$CACHE/.lock"; flock 9            # two installs at once: the second waits
    for f in "$@"; do install_one "$f"; done
    # the package files are not needed any more once unpacked
    [ -n "${SERVERS_KEEP_DEBS:-}" ] || rm -rf "$CACHE"/apt/*/cache/archives/*.deb ;;
  start) [ $# -ge 4 ] || die "start NAME FLAVOR PORT [options]"; shift; start "$@" ;;
  stop) [ $# = 2 ] || die "stop NAME"; stop "$2" ;;
  kill) [ $# = 2 ] || die "kill NAME"; stop "$2" KILL ;;
  freeze) [ $# = 2 ] || die "freeze NAME"; p=$(pid_of "$2") || die "$2: not running"; kill -STOP "$p" ;;
  thaw) [ $# = 2 ] || die "thaw NAME"; p=$(pid_of "$2") || die "$2: not running"; kill -CONT "$p" ;;
  stop-all) for n in $(names); do stop "$n" & done; wait ;;
  wipe) [ $# = 2 ] || die "wipe NAME"; stop "$2" KILL; rm -rf "${DATA:?}/$2" ;;
  guard) trap '' INT TERM HUP  # an interrupt of the terminal ends the tests; then it is our turn
    # the caller holds the other end of our stdin: it ends when the caller does, however it dies
    cat > /dev/null
    for n in $(names); do stop "$n" KILL; rm -rf "${DATA:?}/$n"; done
    rmdir "$DATA" 2> /dev/null || true ;;
  list) for n in $(names); do echo "$n $(cat "$DATA/$n/flavor") $(cat "$DATA/$n/port") $(pid_of "$n" || echo stopped)"; done ;;
  client) n=${2:-}; [ -e "$DATA/$n/flavor" ] || die "no server '$n'"; f=$(cat "$DATA/$n/flavor"); shift 2
    exec "$CACHE/bin/$f/mysql" --no-defaults -uroot -S "$DATA/$n/sock" "$@" ;;
  env)
    echo "SERVERS_CACHE='$CACHE'; SERVERS_DATA='$DATA'"
    for f in $ALL; do [ -d "$CACHE/bin/$f" ] && echo "BIN_$(echo "$f" | tr a-z- A-Z_)='$CACHE/bin/$f'"; done
    if [ -d "$CACHE/root/tools/usr/share/sysbench" ]; then echo "SYSBENCH_LUA='$CACHE/root/tools/usr/share/sysbench'"; fi
    for n in ${2:-$(names)}; do
      v=$(echo "$n" | tr a-z- A-Z_ | tr -cd 'A-Z0-9_')
      echo "${v}_PORT=$(cat "$DATA/$n/port"); ${v}_SOCK='$DATA/$n/sock'; ${v}_URL='mysql://mig:mig@127.0.0.1:$(cat "$DATA/$n/port")'"
    done ;;
  *) sed -n '2,/^set -e/s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
