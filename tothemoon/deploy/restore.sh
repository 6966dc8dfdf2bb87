#!/usr/bin/env bash
# restore.sh BACKUP: puts a backup made by backup.sh into the EMPTY database at DATABASE_URL and compares the rows of every table
# with those counted when it was made. It never overwrites: make a new database (or name a new file), restore, then switch.
set -euo pipefail
umask 027

say() { printf '%s\n' "$*" >&2; }
fail() { say "restore: $*"; exit 1; }

[ $# -eq 1 ] || fail "usage: DATABASE_URL=… restore.sh BACKUP"
backup=$1 url=${DATABASE_URL:-}
[ -r "$backup" ] || fail "$backup cannot be read"
[ -n "$url" ] || fail "DATABASE_URL is not set"
counts=${backup%.dump} counts=${counts%.sqlite3.gz}.counts
[ -r "$counts" ] || fail "$counts is missing: it lies beside the backup"
started=$(date +%s.%N)
found=$(mktemp)
partial=
trap 'rm -f "$found" ${partial:+"$partial"}' EXIT

case $url:$backup in
  postgres*://*:*.dump)
    tables=$(psql --no-psqlrc -qAt -d "$url" -c "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    [ "$tables" = 0 ] || fail "the database holds $tables tables already; restore into an empty one"
    # Two jobs: tables and indexes side by side. A failure leaves a database that is thrown away, never one that is used.
    pg_restore --exit-on-error --no-owner --no-privileges --jobs="${RESTORE_JOBS:-2}" --dbname="$url" "$backup"
    # Of a partitioned table the partitions are counted: the rows are theirs, in the backup too.
    psql --no-psqlrc -qAt -d "$url" -c "SELECT format('SELECT %L || '' '' || count(*) FROM %I;', relname, relname)
      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'" | psql --no-psqlrc -qAt -d "$url" | LC_ALL=C sort >"$found"
    PGOPTIONS='-c client_min_messages=error' psql --no-psqlrc -qAt -d "$url" -c ANALYZE
    ;;
  sqlite:///*:*.sqlite3.gz)
    target=${url#sqlite:///}
    [ ! -e "$target" ] || fail "$target exists already; name a new file, then switch"
    partial=$target.partial
    gzip -dc "$backup" >"$partial"
    python3 - "$partial" >"$found" <<'PYTHON'
import sqlite3, sys

there = sqlite3.connect(sys.argv[1])
verdict = there.execute("PRAGMA integrity_check").fetchone()[0]
if verdict != "ok":
    sys.exit(f"restore: the file is damaged: {verdict}")
names = [name for (name,) in there.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
for name in sorted(names):
    print(name, there.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])
PYTHON
    ;;
  *) fail "a .dump goes into postgresql://…, a .sqlite3.gz into sqlite:///…" ;;
esac

diff "$counts" "$found" >&2 || fail "the rows differ from those of the backup (left: backup, right: restored)"
if [ -n "$partial" ]; then
  sync "$partial"
  mv "$partial" "$target"
  partial=
fi
rows=$(awk '{ sum += $2 } END { print sum + 0 }' "$found")
say "restore: $(wc -l <"$found") tables, $rows rows, all as counted, $(awk -v a="$started" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }') s"
