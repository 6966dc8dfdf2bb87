"""kill -9 in mid-cycle of the stages, judged from outside by plain SQL and by a run of the same hours in peace."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tothemoon.tests.soak.judge import Tables
from tothemoon.tests.soak.trial import database, quick_folder
from tothemoon.tests.soak.victims import ROOT

LIMIT_SEC = 1800
SPENT = "CASE WHEN f.deal = 'entry' THEN -f.usd ELSE f.usd END * p.side - f.fee"
SOLD = "(SELECT coalesce(sum(f.quantity), 0) FROM paper_fills f WHERE f.position_id = p.judgement_id AND f.deal <> 'entry')"
ONE_EACH = "cycles without their point of equity"
# Each counts what must not be.
MUST_NOT_BE = {
    "tokens with two open positions": """SELECT count(*) FROM
        (SELECT 1 FROM paper_positions WHERE closed_at IS NULL GROUP BY token_id HAVING count(*) > 1) t""",
    "judgements of the same bar": "SELECT count(*) FROM (SELECT 1 FROM judgements GROUP BY token_id, ts HAVING count(*) > 1) t",
    "fills told twice": "SELECT count(*) FROM (SELECT 1 FROM paper_fills GROUP BY position_id, time, deal HAVING count(*) > 1) t",
    "fills of no position": """SELECT count(*) FROM paper_fills f LEFT JOIN paper_positions p ON p.judgement_id = f.position_id
        WHERE p.judgement_id IS NULL""",
    "positions without their entry": """SELECT count(*) FROM paper_positions p WHERE
        (SELECT count(*) FROM paper_fills f WHERE f.position_id = p.judgement_id AND f.deal = 'entry') <> 1""",
    "positions that sold more than they bought": f"SELECT count(*) FROM paper_positions p WHERE {SOLD} > p.quantity * 1.000000001",
    "positions whose rest is not what is left": f"""SELECT count(*) FROM paper_positions p WHERE
        abs(p.quantity - p.left - {SOLD}) > p.quantity * 1e-9""",
    "closed positions without a result": "SELECT count(*) FROM paper_positions WHERE closed_at IS NOT NULL AND result IS NULL",
    "signals without a fate, or with two": """SELECT count(*) FROM judgements j WHERE j.side <> 0 AND
        (SELECT count(*) FROM paper_positions p WHERE p.judgement_id = j.key)
        + (SELECT count(*) FROM paper_orders o WHERE o.judgement_id = j.key)
        + (SELECT count(*) FROM skipped_signals s WHERE s.judgement_id = j.key) <> 1""",
    "states of a judgement that is not there": """SELECT count(*) FROM asset_states a LEFT JOIN judgements j ON j.key = a.judgement_id
        WHERE a.judgement_id IS NOT NULL AND j.key IS NULL""",
    "states that stand at another bar than the rest": "SELECT count(DISTINCT ts) - 1 FROM asset_states",
    "open positions too many": """SELECT CASE WHEN (SELECT count(*) FROM paper_positions WHERE closed_at IS NULL) >
        (SELECT paper_most_open FROM scoring_settings WHERE active) THEN 1 ELSE 0 END""",
    ONE_EACH: "SELECT abs((SELECT cycles FROM paper_account) - (SELECT count(*) FROM paper_equity))",
}
CASH = f"""SELECT a.cash - a.capital - (SELECT coalesce(sum({SPENT}), 0) FROM paper_fills f
    JOIN paper_positions p ON p.judgement_id = f.position_id) FROM paper_account a"""


@dataclass
class StageOutcome:
    """`faults` empty is the pass line."""

    database: str
    seed: int
    hunt: str = "stage_hunt"
    kills: int = 0
    unfinished: int | None = None  # lives after which their minute was still to be done
    minutes: int = 0
    cycle_ms: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    took_sec: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.faults


def run(kind: str, seed: int, kills: int, hunt: str = "stage_hunt") -> StageOutcome:
    """`hunt`: stage_hunt kills children that do nothing but the cycle, many a minute; scheduler_hunt kills the real run_scheduler."""
    outcome, began = StageOutcome(kind, seed, hunt), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ttm-stages-", dir=quick_folder()) as name, database(kind, Path(name)) as (url, _):
        line = [sys.executable, "-m", f"tothemoon.tests.soak.{hunt}", str(kills), str(seed)]
        environment = {"DATABASE_URL": url, "SECRET_KEY": "soak-" + "x" * 50, "READ_DOTENV": "0", "LOG_LEVEL": "WARNING"}
        done = subprocess.run(
            line, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=LIMIT_SEC
        )
        if done.returncode:
            outcome.faults.append(f"the hunt ended with {done.returncode}:\n{done.stderr[-2000:]}")
        else:
            told = json.loads(done.stdout.splitlines()[-1])
            outcome.kills, outcome.minutes, outcome.cycle_ms = told["kills"], told["minutes"], told["cycle_ms"]
            outcome.unfinished = told.get("unfinished")
            outcome.faults += [*told["faults"], *([done.stderr[-1000:]] if told["faults"] and done.stderr else [])]
            judge(url, outcome)
    outcome.took_sec = time.monotonic() - began
    return outcome


def judge(url: str, outcome: StageOutcome) -> None:
    tables = Tables(url)
    try:
        for what, query in MUST_NOT_BE.items():
            if what == ONE_EACH and outcome.hunt != "stage_hunt":
                continue  # a cycle of several minutes; the run in peace says what its points must be
            if number := tables.number(query):
                outcome.faults.append(f"{number} {what}")
        off = abs(float(tables.rows(CASH)[0][0]))
        if off > 1e-6:
            outcome.faults.append(f"the account's cash is {off:g} dollars off what the fills say")
        names = ("judgements", "paper_positions", "paper_fills", "skipped_signals", "paper_equity")
        outcome.counts = {name: tables.number(f"SELECT count(*) FROM {name}") for name in names}
        if not tables.whole():
            outcome.faults.append("the database file is damaged")
    finally:
        tables.close()


def _of_whom(outcome: StageOutcome) -> str:
    if outcome.hunt == "stage_hunt":
        return "in a cycle of the stages"
    return f"of run_scheduler ({outcome.unfinished} before its cycle was stored)"


def report(outcome: StageOutcome) -> str:
    counts = ", ".join(f"{name.removeprefix('paper_').replace('_', ' ')} {number}" for name, number in outcome.counts.items())
    return "\n".join(
        [
            f"{'passed' if outcome.passed else 'FAILED'} on {outcome.database}, seed {outcome.seed}, {outcome.took_sec:.0f} s",
            f"  kill -9 {_of_whom(outcome)}: {outcome.kills}, {outcome.minutes} minutes of market; a cycle {outcome.cycle_ms:.0f} ms",
            f"  {counts}",
            *[f"  FAULT: {fault}" for fault in outcome.faults],
        ]
    )
