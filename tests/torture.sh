#!/usr/bin/env bash
# Breaks everything at random while a migration runs, then compares both sides exactly.
#
#   tests/torture.sh --minutes 40 --seed 7 --flavor mysql    (mysql, mariadb, mixed, across, all)
#   tests/torture.sh --flavor mysql --seed 12 --rounds 1     a round that failed, once more
#
# The servers are those of tests/servers.sh. docs/reliability.md says what is broken and how long it ran.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo test -q --locked -p dm-cli --test torture -- "$@"
