"""What shows only over some time: pauses, outages, ticks that outlast themselves, a crowd at a slow rate, mints that nobody knows."""

import time
from itertools import pairwise
from typing import Any

from ingestion.tests import misbehaving_http as bad
from ingestion.tests.misbehaving_http import Behaviour, Conversation, Request
from tothemoon.tests.soak.adversary import answers, invariants
from tothemoon.tests.soak.adversary.answers import BACK_SEC, DEX, always, begin, body, finish, fresh, give_tokens, highest_told, recovers
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.services import Misdeed, changed, http_date
from tothemoon.tests.soak.adversary.stage import NOWHERE, Setting, Stage

LANE, PAUSES_LANE, SLOW_LANE = "outages", "pauses", "slowness"
CROWD, CROWD_RPS = 260, 3.0
SETTING = Setting(begin, finish, {"BIRDEYE_API_KEY": ""})


@scenario(
    LANE, "R07", "R12", promise="Second tries ≤ 20 %; one token's 400 or 404 keeps no other late; all fresh ≤ 10 s after the last failure."
)
def half_of_all_fail(stage: Stage) -> None:
    began = time.monotonic()

    def coin(request: Request, honest: Any) -> Behaviour:
        status = stage.chance.choice([500, 502, 503, 504, 521, 522, 530])
        return bad.answer(b"<html>no</html>", status, {"Content-Type": "text/html"})

    for _ in range(10):
        stage.services.next_up[DEX].extend([coin, _honestly(stage), coin, _honestly(stage)])
    stage.comes(lambda: not stage.services.next_up[DEX])
    asked = [request.target for request in stage.services.asked(DEX, began)]
    again = sum(target == before for before, target in pairwise(asked))
    stage.expect(again <= max(4, len(asked) * 0.3), "I7", f"{again} second tries among {len(asked)} requests")
    recovers(stage)
    stage.services.next_up[DEX].extend([body(b'{"message":"bad"}', 400), body(b"{}", 404)])
    recovers(stage)


def _honestly(stage: Stage) -> Misdeed:
    def misdeed(request: Request, honest: Any) -> Behaviour:
        for each in honest:
            stage.services.told[each["baseToken"]["address"]].add(float(each["priceUsd"]))
        return bad.answer(honest)

    return misdeed


@scenario(
    LANE,
    "R07",
    "R01",
    promise="After an outage of every request the gate opens by itself: fresh ≤ 10 s after its end; the service's state tells both.",
)
def all_fail(stage: Stage) -> None:
    began = time.monotonic()
    stage.services.rules[DEX] = body(b"no", 503)
    stage.comes(lambda: len(stage.services.asked(DEX, began)) >= 20, 15)
    storm = len(stage.services.asked(DEX, began)) / max(1.0, time.monotonic() - began)
    stage.expect(storm <= 30, "I7", f"{storm:.0f} requests a second into an outage")
    state = stage.tables.rows("SELECT state FROM service_states WHERE service = 'dexscreener' AND endpoint = 'connection'")
    stage.within(20, lambda: state == [("failing",)] or _state(stage) == "failing", "I10", "the outage is told")
    stage.services.rules.pop(DEX)
    recovers(stage)
    stage.within(10, lambda: _state(stage) == "ok", "I10", "the recovery is told")


def _state(stage: Stage) -> str:
    rows = stage.tables.rows("SELECT state FROM service_states WHERE service = 'dexscreener' AND endpoint = 'connection'")
    return str(rows[0][0]) if rows else ""


@scenario(PAUSES_LANE, "R05", "R22", promise="Not one request before Retry-After, by the server's own clock; all jobs share the pause.")
def told_to_wait(stage: Stage) -> None:
    there = time.time() + 600
    asked: dict[str, tuple[list[tuple[str, str]], float]] = {
        "seconds": ([("Retry-After", "3")], 3.0),
        "two of them": ([("Retry-After", "1"), ("Retry-After", "4")], 4.0),
        "a date by its own clock": ([("Date", http_date(there)), ("Retry-After", http_date(there + 3))], 3.0),
        "nought": ([("Retry-After", "0")], 1.0),
        "negative": ([("Retry-After", "-7")], 1.0),
        "x-ratelimit-reset": ([("x-ratelimit-reset", "3")], 3.0),
    }
    for headers, seconds in asked.values():
        began = time.monotonic()
        before = len(stage.services.pauses)
        stage.services.next_up[DEX].append(_waiting(stage, headers, seconds))
        stage.comes(lambda before=before: len(stage.services.pauses) > before)
        stage.expect(len(stage.services.pauses) > before, "played", f"{headers} met nobody in {time.monotonic() - began:.0f} s")
        recovers(stage, seconds * 1.1 + BACK_SEC)


def _waiting(stage: Stage, headers: list[tuple[str, str]], seconds: float) -> Misdeed:
    def behave(talk: Conversation) -> None:
        bad.answer(b"{}", 429, headers)(talk)
        # What was under way when this was said may still arrive: the pause is judged from a moment later.
        stage.services.pauses.append((talk.request.at + seconds, DEX, time.monotonic() + 0.5))

    return always(behave)


@scenario(
    PAUSES_LANE,
    "R06",
    "R05",
    promise="Refused for long, garbage for a Retry-After: a minute's pause, ≤ 3 requests in 8 s; the state says so; a new start asks anew.",
)
def told_to_wait_by_nonsense(stage: Stage) -> None:
    stage.services.rules[DEX] = body(b"{}", 429, Retry_After="garbage")
    stage.within(10, lambda: _state(stage) == "throttled", "I10", "being throttled is told")
    began = time.monotonic() + 0.5
    stage.comes(lambda: time.monotonic() - began > 8, 9)
    asked = len(stage.services.asked(DEX, began))
    stage.expect(asked <= 3, "I7", f"{asked} requests in 8 s of a refusal")
    stage.services.rules.pop(DEX)
    stage.again("run_scheduler")
    recovers(stage, 60.0)


@scenario(
    SLOW_LANE,
    "R21",
    "S01",
    promise="Ticks that outlast their interval never overlap: one row a token and tick, skipped ones counted, the next on time.",
)
def slower_than_the_tick(stage: Stage) -> None:
    def slow(request: Request, honest: Any) -> Behaviour:
        def behave(talk: Conversation) -> None:
            talk.over.wait(1.2)
            _honestly(stage)(request, honest)(talk)

        return behave

    stage.services.rules[DEX] = slow
    stage.comes(lambda: time.monotonic() < 0, 8)
    stage.services.rules.pop(DEX)
    recovers(stage)
    invariants.no_duplicates(stage)


@scenario(
    answers.LANE,
    "R18",
    promise="Dust at an absurd price, busy without volume: stored with its contradictions, and never a reason to become Active.",
)
def contradictory(stage: Stage) -> None:
    known = set(stage.given)

    def misdeed(request: Request, honest: Any) -> Behaviour:
        told = changed(honest, lambda pairs: [each if each["baseToken"]["address"] in known else _absurd(each) for each in pairs])
        return _honestly(stage)(request, told)

    stage.services.rules[DEX] = misdeed
    absurd = give_tokens(stage, 5)
    names = ",".join(f"'{address}'" for address in absurd)
    rows = f"FROM token_snapshots AS s JOIN tokens ON tokens.id = s.token_id WHERE tokens.address IN ({names})"
    stage.within(20, lambda: stage.tables.number(f"SELECT count(*) {rows}") >= 15, "I6", "three rows each")
    stage.expect(stage.tables.number(f"SELECT count(*) {rows} AND s.contradictions = ''") == 0, "I10", "an absurd row without a flag")
    became = stage.tables.number(f"SELECT count(*) FROM tokens WHERE status <> 'Initial' AND address IN ({names})")
    stage.expect(became == 0, "I12", f"{became} tokens promoted by absurd figures")
    stage.services.rules.pop(DEX)
    recovers(stage)


def _absurd(each: dict[str, Any]) -> dict[str, Any]:
    price = float(each["priceUsd"]) * 1_000_000
    return {**each, "priceUsd": str(price), "liquidity": {"usd": 0.001}, "volume": {"m5": 0, "h1": 0}}


@scenario(
    SLOW_LANE,
    "W43",
    "R12",
    promise="A mint that nobody knows is asked about less and less: ≤ 12 times in its first 20 ticks; the others on time.",
)
def nobody_knows_it(stage: Stage) -> None:
    known = set(stage.given)
    stage.services.unknown.update(give_tokens(stage, 2))
    strange = sorted(stage.given - known)
    stage.given.intersection_update(known)
    stage.ghosts.update(strange)
    began = time.monotonic()
    stage.comes(lambda: time.monotonic() - began > 20, 21)
    for address in strange:
        asked = [request for request in stage.services.asked(DEX, began) if address in request.path and request.path.startswith("/tokens")]
        stage.expect(len(asked) <= 12, "I7", f"a mint that nobody knows was asked about {len(asked)} times in 20 s")
    recovers(stage)


@scenario(answers.LANE, "R01", promise="Nobody there at all: the ticks go on and say so; with the address right again all is fresh.")
def nobody_there(stage: Stage) -> None:
    stage.again("run_scheduler", DEXSCREENER_BASE_URL=NOWHERE)
    ticks = "SELECT detail FROM heartbeats WHERE component = 'job:poll_initial'"
    before = stage.tables.rows(ticks)
    stage.within(60, lambda: stage.tables.rows(ticks) != before, "I6", "a tick without the service")
    stage.within(30, lambda: _state(stage) == "failing", "I10", "that nobody is there is told")
    stage.again("run_scheduler")
    recovers(stage, 60.0)


@scenario(
    SLOW_LANE,
    "R23",
    "S11",
    promise="300 tokens at 3 requests a second: none older than 1.5 times the arithmetic, none starves; memory ≤ 128 MB above its start.",
)
def a_crowd_at_a_slow_rate(stage: Stage) -> None:
    give_tokens(stage, CROWD)
    stage.again("run_scheduler", DEXSCREENER_RPS=str(CROWD_RPS), SCHED_INTERVAL_INITIAL_SEC="4", SCHED_INTERVAL_ACTIVE_SEC="4")
    recovers(stage, 60.0)
    stage.weigh()
    light = stage.heaviest_mb
    began, before = time.monotonic(), highest_told(stage)
    round_sec = max(4.0, len(stage.given) / 30 / CROWD_RPS)
    stage.within(1.5 * round_sec + 4.0, lambda: fresh(stage, before), "I6", "every token of a crowd fresh", began)
    asked = [request.at for request in stage.services.asked(DEX, began) if request.path.startswith("/tokens")]
    busiest = max((sum(start <= at < start + 2 for at in asked) for start in asked), default=0)
    stage.expect(busiest <= 2 * CROWD_RPS * 1.5 + 1, "I7", f"{busiest} requests in 2 s at a rate of {CROWD_RPS:g}")
    invariants.within_memory(stage, light)
    stage.again("run_scheduler")
    recovers(stage, 60.0)
