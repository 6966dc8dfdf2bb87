#!/usr/bin/env bash
# One verified backup of the database at DATABASE_URL, of a running system, into BACKUP_DIR; the newest BACKUP_KEEP are kept.
# PostgreSQL: pg_dump's custom format. SQLite: a consistent copy by SQLite's own backup, compressed.
# Beside each backup lies NAME.counts, the rows of each table as they stand in the backup itself: counting them reads it whole.
set -euo pipefail
umask 027

say() { printf '%s\n' "$*" >&2; }
fail() { say "backup: $*"; exit 1; }

url=${DATABASE_URL:-}
if [ -z "$url" ] && [ -n "${CREDENTIALS_DIRECTORY:-}" ] && [ -r "$CREDENTIALS_DIRECTORY/DATABASE_URL" ]; then
  url=$(<"$CREDENTIALS_DIRECTORY/DATABASE_URL")
fi
[ -n "$url" ] || fail "DATABASE_URL is not set"
folder=${BACKUP_DIR:-/var/backups/tothemoon}
keep=${BACKUP_KEEP:-14}
[[ $keep =~ ^[1-9][0-9]*$ ]] || fail "BACKUP_KEEP is “$keep”: write a whole number from 1"
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock -n 9 || fail "another backup is running"

started=$(date +%s.%N)
name=tothemoon-$(date -u +%Y%m%dT%H%M%SZ)
trap 'rm -f "$folder/$name".*.partial "$folder/$name".partial*' EXIT

case $url in
  postgresql://* | postgres://*)
    file=$name.dump
    # Compression 1: three times faster than the default, a tenth larger.
    pg_dump --format=custom --compress=1 --no-owner --no-privileges --lock-wait-timeout=60s \
      --dbname="$url" --file="$folder/$file.partial"
    pg_restore --data-only --file=- "$folder/$file.partial" | awk '
      !inside && /^COPY / { table = $2; sub(/^[^.]*\./, "", table); gsub(/"/, "", table); rows = 0; inside = 1; next }
      inside && $0 == "\\." { print table, rows; inside = 0; next }
      inside { rows++ }' | LC_ALL=C sort >"$folder/$name.counts.partial"
    ;;
  sqlite:///*)
    file=$name.sqlite3.gz
    python3 - "${url#sqlite:///}" "$folder/$name.partial" >"$folder/$name.counts.partial" <<'PYTHON'
import sqlite3, sys
from pathlib import Path

source, target = sys.argv[1:]
here = sqlite3.connect(Path(source).absolute().as_uri() + "?mode=ro", uri=True, timeout=60)
there = sqlite3.connect(target)
here.backup(there)  # in one step: a writer waits for the moment it takes, and the copy is of one instant
verdict = there.execute("PRAGMA integrity_check").fetchone()[0]
if verdict != "ok":
    sys.exit(f"backup: the copy is damaged: {verdict}")
names = [name for (name,) in there.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
for name in sorted(names):
    print(name, there.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])
PYTHON
    gzip -1 <"$folder/$name.partial" >"$folder/$file.partial"
    gzip -t <"$folder/$file.partial"
    ;;
  *) fail "DATABASE_URL must start with postgresql:// or sqlite:///" ;;
esac

grep -q '^tokens ' "$folder/$name.counts.partial" || fail "the backup holds no table “tokens”: is DATABASE_URL the right one?"
sync "$folder/$file.partial" "$folder/$name.counts.partial"
mv "$folder/$name.counts.partial" "$folder/$name.counts"
mv "$folder/$file.partial" "$folder/$file"

# Rotation: by name, which is by time. A backup counts only when it is whole, so what is kept are whole ones.
find "$folder" -maxdepth 1 \( -name 'tothemoon-*.dump' -o -name 'tothemoon-*.sqlite3.gz' \) -printf '%f\n' | LC_ALL=C sort -r |
  tail -n +"$((keep + 1))" | while read -r old; do rm -f "$folder/$old" "$folder/${old%%.*}.counts"; done

rows=$(awk '{ sum += $2 } END { print sum + 0 }' "$folder/$name.counts")
say "backup: $file, $rows rows, $(stat -c %s "$folder/$file") bytes, $(awk -v a="$started" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }') s"
printf '%s\n' "$folder/$file"
