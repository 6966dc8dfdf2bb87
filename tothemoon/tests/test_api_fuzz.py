"""Everything that the schema allows, and much that it does not, asked of a running server by schemathesis.

FUZZ_REQUESTS makes the trial longer: so many requests at least. An address with few parameters soon has nothing new to be asked, so that
more examples of one seed bring little; the trial goes on with the next seed instead. `./run soak --fuzz 5000` is the long form.
"""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from ingestion.models import Heartbeat
from scoring.models import ScoringSettings
from tokens.models import Token, TokenSnapshot
from tothemoon.tests.page_rows import a_pool, a_token, a_whole_token, figures, part, scored, usual_figures

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
WANTED = int(os.environ.get("FUZZ_REQUESTS", "150"))
EXAMPLES = 6 if WANTED <= 1000 else 60  # for each address, in one seed
MOST_SEEDS = 40

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(settings.ON_SQLITE, reason="asked on PostgreSQL, which refuses more than SQLite does"),
    pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="schemathesis is missing (it stands in requirements-dev.lock)"),
]


@pytest.fixture
def market(live_server):
    """A running system: tokens with everything, with estimates, with nothing, and odd names."""
    now = timezone.now()
    ScoringSettings.objects.get_or_create(active=True, defaults={"note": "defaults"})
    ScoringSettings.objects.revise({"export_max_age_sec": 3600}, author=None, note="for a long trial")
    for component in ("listener", "scheduler", "job:poll_initial", "job:poll_active", "job:score"):
        detail = {"connected": True, "last_message_at": now.isoformat(), "ok": True, "ms": 70}
        Heartbeat.objects.create(component=component, ts=now, detail=detail)
    whole = a_whole_token(now, 1, symbol="🚀\u202e\u0301", name="=1+1")
    for minutes in range(2, 20):
        ts = now - timedelta(minutes=minutes)
        TokenSnapshot.objects.create(token=whole, ts=ts, **usual_figures(ts))
    estimated = a_token(now, 2)
    figures(estimated, now, source="pools", holders=None, buys_volume_5m=None, price=1e-12, liquidity=1e17, contradictions="price_jump")
    scored(estimated, now, -3.5, orderflow_imbalance=part(0.1, "estimated"), holder_growth=part(None, "no_history"))
    a_pool(estimated, now, liquidity=None)
    a_token(now, 3, "Initial")
    a_whole_token(now, 4, "Archived")
    cache.clear()
    return live_server.url, whole.address


def still_running():
    """The system goes on while it is asked: a ranking older than an hour is refused."""
    now = timezone.now()
    for beat in Heartbeat.objects.all():
        Heartbeat.objects.filter(pk=beat.pk).update(ts=now, detail={**beat.detail, "last_message_at": now.isoformat()})
    for token in Token.objects.filter(status="Active"):
        figures(token, now)
        scored(token, now, 0.7)


def fuzz(url, tmp_path, seed, *arguments):
    """How many requests were made; fails with what schemathesis said when it found anything."""
    said = tmp_path / f"said-{seed}.ndjson"
    command = [str(SCHEMATHESIS), "run", f"{url}/api/openapi.json", "--max-examples", str(EXAMPLES), "--checks", "all"]
    command += ["--seed", str(seed), "--report", "ndjson", "--report-ndjson-path", str(said), *arguments]
    surroundings = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(settings.BASE_DIR), "SCHEMATHESIS_HOOKS": "tothemoon.tests.fuzz_hooks"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=surroundings)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    generated = re.search(r"([\d,]+) generated", done.stdout)
    assert generated, done.stdout[-2000:]
    return int(generated[1].replace(",", ""))


def test_whatever_is_asked_the_answer_is_as_the_schema_says_and_never_an_error_of_ours(market, tmp_path, capsys):
    url, address = market
    made = fuzz(url, tmp_path, 1)
    (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.address" = "{address}"\n')
    made += fuzz(url, tmp_path, 2, "--include-path-regex", "address", "--mode", "positive")
    (tmp_path / "schemathesis.toml").unlink()
    for seed in range(3, MOST_SEEDS):
        if made >= WANTED:
            break
        still_running()
        made += fuzz(url, tmp_path, seed, "--phases", "fuzzing,stateful")
    with capsys.disabled():
        sys.stdout.write(f"\n{made:,} requests: no error of ours, nothing that the schema does not say\n")
    assert made >= WANTED
