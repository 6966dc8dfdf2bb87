#!/usr/bin/env bash
# install.sh [REVISION], as root, from a clone of the repository: makes that release (a tag, a branch, a commit; else what is checked out)
# the one that runs. For the first time, for upgrades and for rolling back alike; running it twice does no harm. It starts nothing that
# did not run before, asks nothing, and until all is ready nothing that runs has noticed.
#
# Each release has a folder of its own with its own packages, so that what runs never finds half of another one under its feet;
# /opt/tothemoon points to the one in use, and is turned in one step. The three newest are kept.
set -euo pipefail
umask 022

say() { printf '── %s\n' "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }
point() { ln -s "$1" "$2.next" && mv -T "$2.next" "$2"; } # in one step: there is no moment without it
[ "$(id -u)" -eq 0 ] || fail "run it as root"

current=/opt/tothemoon releases=/opt/tothemoon-releases
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
[ -L "$current" ] || [ ! -e "$current" ] ||
  fail "$current is a folder; it has to be free for a link: mv $current /opt/tothemoon-source, and start install.sh there"
commit=$(git -C "$source" rev-parse --quiet --verify "${1:-HEAD}^{commit}") ||
  fail "there is no release “${1:-HEAD}” in $source, or it is no clone (git fetch --tags there?)"
release=$releases/$(TZ=UTC git -C "$source" show --no-patch --date=format-local:%Y%m%dT%H%M%S --format=%cd-%h --abbrev=12 "$commit")
exec 9>/run/tothemoon-install.lock
flock -n 9 || fail "another install.sh is at work"

say "user, folders, secrets"
id -u tothemoon >/dev/null 2>&1 || useradd --system --home-dir /var/lib/tothemoon --shell /usr/sbin/nologin tothemoon
id -u www-data >/dev/null 2>&1 && usermod --append --groups tothemoon www-data # nginx reads static files and the site's socket
install -d -o tothemoon -g tothemoon -m 0750 /var/lib/tothemoon /var/log/tothemoon /var/backups/tothemoon
install -d -m 0755 /etc/tothemoon "$releases"
[ -e /var/lib/tothemoon/static ] || install -d -o tothemoon -g tothemoon -m 0750 /var/lib/tothemoon/static
install -d -m 0700 /etc/credstore
[ -e /etc/tothemoon/environment ] || install -m 0644 "$source/tothemoon/deploy/environment.example" /etc/tothemoon/environment
if [ ! -e /etc/credstore/tothemoon.SECRET_KEY ]; then
  (umask 077 && python3 -c 'import secrets; print(secrets.token_urlsafe(64))' >/etc/credstore/tothemoon.SECRET_KEY)
fi

say "the release, $release"
if [ ! -e "$release/whole" ]; then
  rm -rf "$release"
  mkdir "$release"
  git -C "$source" archive "$commit" | tar -x -C "$release"
  PYTHONDONTWRITEBYTECODE=1 "$release/run" version >/dev/null
  # Starts sooner; the services cannot write here.
  (cd "$release" && .venv/bin/python -m compileall -q .venv/lib tokens ingestion scoring learning trading tothemoon) || true
  touch "$release/whole"
fi
touch "$release" # the newest are those that were installed last
cd "$release"

say "settings"
tothemoon/deploy/manage check --deploy --tag security --fail-level WARNING # a hole stops here
tothemoon/deploy/manage check                                              # a hint is told

say "does the site start?"
tothemoon/deploy/manage shell --verbosity 0 --command "import tothemoon.wsgi" # before the running one is replaced

say "database"
tothemoon/deploy/manage migrate --no-input # what runs goes on meanwhile: a migration takes away nothing that the release before uses

say "static files"
static=$(. /etc/tothemoon/environment && printf '%s' "${STATIC_ROOT:-/var/lib/tothemoon/static}")
fresh=$static-${release##*/}
rm -rf "$fresh"
install -d -o tothemoon -g tothemoon -m 0750 "$fresh"
COLLECT_INTO=$fresh tothemoon/deploy/manage collectstatic --no-input -v 0
former=$(readlink -f "$static" || true)
[ -L "$static" ] || rm -rf "$static"
point "$fresh" "$static"
[ "$former" = "$fresh" ] || [ "$former" = "$static" ] || rm -rf "$former"

say "from here on the new one"
# gunicorn's first process goes on over a reload, in the sandbox and with the gunicorn that it was started with.
kept_by_a_reload() { cat "$1/tothemoon/deploy/systemd/tothemoon-web.service" && grep '^gunicorn==' "$1/requirements.lock"; }
same=yes
[ -e "$current" ] && ! cmp -s <(kept_by_a_reload "$current") <(kept_by_a_reload "$release") && same=no
point "$release" "$current"
install -m 0644 tothemoon/deploy/systemd/* /etc/systemd/system/
systemctl daemon-reload
systemctl try-reload-or-restart tothemoon-web # new workers first, then the old ones end: no request is refused
for worker in scheduler listener; do          # one after the other; each ends its work first, and the next takes its lock
  systemctl try-restart "tothemoon-$worker"
done
[ "$same" = yes ] || say "the unit of the site, or gunicorn itself, has changed: systemctl restart tothemoon-web, when three seconds without it suit"

find "$releases" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | LC_ALL=C sort -rn | tail -n +4 | cut -d' ' -f2- |
  while read -r old; do rm -rf "$old"; done
say "done"
