#!/usr/bin/env bash
# install.sh, as root: puts the code of this checkout in place and brings the database up to it. For the first time and for upgrades
# alike; running it twice does no harm. It starts nothing that was not enabled before, and asks nothing.
#
#   tothemoon/deploy/install.sh [TARGET]        TARGET: /opt/tothemoon
set -euo pipefail

say() { printf '── %s\n' "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || fail "run it as root"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=${1:-/opt/tothemoon}
[ "$here" = "$target" ] || fail "this checkout is $here; it must be $target (git clone it there)"
cd "$target"

say "user, folders, secrets"
id -u tothemoon >/dev/null 2>&1 || useradd --system --home-dir /var/lib/tothemoon --shell /usr/sbin/nologin tothemoon
id -u www-data >/dev/null 2>&1 && usermod --append --groups tothemoon www-data # nginx reads static files and the site's socket
install -d -o tothemoon -g tothemoon -m 0750 /var/lib/tothemoon /var/lib/tothemoon/static /var/log/tothemoon /var/backups/tothemoon
install -d -m 0755 /etc/tothemoon
install -d -m 0700 /etc/credstore
[ -e /etc/tothemoon/environment ] || install -m 0644 tothemoon/deploy/environment.example /etc/tothemoon/environment
if [ ! -e /etc/credstore/tothemoon.SECRET_KEY ]; then
  (umask 077 && python3 -c 'import secrets; print(secrets.token_urlsafe(64))' >/etc/credstore/tothemoon.SECRET_KEY)
fi

say "packages"
PYTHONDONTWRITEBYTECODE=1 ./run version >/dev/null
.venv/bin/python -m compileall -q .venv/lib tokens ingestion scoring tothemoon || true # starts sooner; the services cannot write here

say "settings"
tothemoon/deploy/manage check --deploy --tag security --fail-level WARNING # a hole stops here
tothemoon/deploy/manage check                                              # a hint is told

say "does the site start?"
tothemoon/deploy/manage shell --verbosity 0 --command "import tothemoon.wsgi" # before the running one is replaced

say "database"
tothemoon/deploy/manage migrate --no-input

say "static files"
tothemoon/deploy/manage collectstatic --no-input --clear -v 0

say "units"
install -m 0644 tothemoon/deploy/systemd/* /etc/systemd/system/
systemctl daemon-reload
systemctl try-restart tothemoon-listener tothemoon-scheduler
systemctl try-reload-or-restart tothemoon-web
say "done"
