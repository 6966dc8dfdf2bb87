"""Birdeye's account and answers: a quota used up, a key refused, a plan that lacks something, answers about nothing or somebody else."""

import time
from typing import Any

from ingestion.tests import misbehaving_http as bad
from ingestion.tests.mints import mint
from ingestion.tests.misbehaving_http import Behaviour, Request
from tothemoon.tests.soak.adversary import answers
from tothemoon.tests.soak.adversary.answers import body
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.services import NOT_IN_PLAN, Misdeed, overview
from tothemoon.tests.soak.adversary.stage import Setting, Stage

LANE = "account"
BIRDEYE = "birdeye"
ACTIVE = 4
RESTED_SEC = 5.0


def begin(stage: Stage) -> None:
    answers.give_tokens(stage, ACTIVE, "Active")
    stage.start("run_scheduler")
    stage.within(60, lambda: told_by_birdeye(stage, 0.0), "I6", "the first figures of Birdeye")


SETTING = Setting(begin, answers.finish)


def told_by_birdeye(stage: Stage, above: float) -> bool:
    """Whether every token has a row with Birdeye's own price, told after that one."""
    rows = stage.tables.rows(
        "SELECT tokens.address, max(s.price) FROM token_snapshots AS s JOIN tokens ON tokens.id = s.token_id"
        " WHERE s.source = 'birdeye' GROUP BY tokens.address"
    )
    newest = dict(rows)
    return all((newest.get(address) or 0.0) > above for address in stage.given)


def works_again(stage: Stage, line_sec: float = 15.0) -> None:
    before = answers.highest_told(stage)
    stage.within(line_sec, lambda: told_by_birdeye(stage, before), "I6", "Birdeye's figures again")


def state(stage: Stage) -> str:
    rows = stage.tables.rows("SELECT state FROM service_states WHERE service = 'birdeye' AND endpoint = ''")
    return str(rows[0][0]) if rows else ""


def refused(stage: Stage, misdeed: Misdeed, expected: str, key: str) -> None:
    """One alarm and then silence; DexScreener goes on; another key is tried at once, without a change of code."""
    stage.services.rules[BIRDEYE] = misdeed
    stage.within(20, lambda: state(stage) == expected, "I10", f"{expected} is told")
    began = time.monotonic() + 0.5
    before = answers.highest_told(stage)
    stage.within(10, lambda: answers.fresh(stage, before), "I6", "DexScreener's figures meanwhile")
    stage.comes(lambda: time.monotonic() - began > RESTED_SEC, RESTED_SEC + 1)
    asked = len(stage.services.asked(BIRDEYE, began))
    stage.expect(asked <= 1, "I7", f"{asked} requests to an account that is refused")
    stage.services.rules.pop(BIRDEYE)
    stage.again("run_scheduler", BIRDEYE_API_KEY=key)
    works_again(stage, 60.0)
    stage.within(10, lambda: state(stage) == "ok", "I10", "the recovery is told")
    stage.expect(key not in stage.logs(), "I11", "a key in the log")


@scenario(LANE, "R10", promise="HTTP 400 for the quota: all polling of it stops, one alarm, ≤ 1 probe in 15 min; the free services go on.")
def quota_used_up(stage: Stage) -> None:
    refused(stage, body(b'{"success":false,"message":"Compute units usage limit exceeded"}', 400), "quota_used_up", "canary-birdeye-second")


@scenario(
    LANE, "R11", "R26", promise="Each refusal by its own name, ≤ 1 probe in 5 min; a new key works at the next start; no key in any log."
)
def key_refused(stage: Stage) -> None:
    answer = b'{"success":false,"message":"Unauthorized canary-birdeye-second"}'
    refused(stage, body(answer, 401), "key_wrong", "canary-birdeye-third")
    refused(stage, body(b'{"success":false,"message":"IP blacklisted"}', 403), "blocked", "canary-birdeye-fourth")


@scenario(LANE, "R11", promise="A plan without the endpoint: told, rested, and the figures of the free services stand.")
def plan_lacks(stage: Stage) -> None:
    words = b'{"success":false,"message":"Your API key lacks sufficient permissions, please upgrade"}'
    refused(stage, body(words, 401), "plan_lacks", "canary-birdeye-fifth")


@scenario(
    LANE, "R09", "R13", "R14", "R15", promise="No row of it and no zero: only who was asked for, by its own address, with plain figures."
)
def mistaken_overviews(stage: Stage) -> None:
    def about(change: Any) -> Misdeed:
        def misdeed(request: Request, honest: Any) -> Behaviour:
            told = overview(request.params.get("address", ""), stage.services.poison())
            return bad.answer({"success": True, "data": change(told)})

        return misdeed

    answers.meets(
        stage,
        {
            "data: null": about(lambda told: None),
            "another token": about(lambda told: {**told, "address": mint(3)}),
            "no address": about(lambda told: {**told, "address": None}),
            "case changed": about(lambda told: {**told, "address": told["address"].lower()}),
            "data: a list": about(lambda told: [told]),
            "success: false": body(b'{"success":false}'),
            "success: a word": body(b'{"success":"true","data":{}}'),
            "no success": body(b'{"data":{}}'),
            "fields renamed": about(lambda told: {"address": told["address"], "Price": told["price"]}),
            "figures that cannot be": about(
                lambda told: {**told, "price": -1, "liquidity": "1,234", "holder": -5, "trade5m": 1.5, "v5mUSD": None}
            ),
            "NaN": body(b'{"success":true,"data":{"address":NaN}}'),
            "one not found": body(b'{"success":false,"message":"token not found"}', 400),
            "429": body(b"{}", 429, Retry_After="2"),
        },
        BIRDEYE,
        120.0,
    )
    works_again(stage, 20.0)
    zeros = stage.tables.number("SELECT count(*) FROM token_snapshots WHERE price = 0 OR liquidity = 0 OR holders = 0")
    stage.expect(zeros == 0, "I9", f"{zeros} figures that became zero")


@scenario(LANE, "R16", "R17", promise="A last trade of the future or of no time is unknown, never now.")
def times_that_cannot_be(stage: Stage) -> None:
    odd = [int(time.time()) + 86_400, 1_700_000_000_000_000, -1, 0, "2025-06-18T02:36:50", int(time.time()) - 36_000]
    asked: list[Misdeed] = []
    for value in odd:

        def misdeed(request: Request, honest: Any, value: Any = value) -> Behaviour:
            if not isinstance(honest, dict):
                return bad.answer(NOT_IN_PLAN, 401)
            price = float(honest["data"]["price"])
            stage.services.told[request.params["address"]].add(price)
            return bad.answer({"success": True, "data": {**honest["data"], "lastTradeUnixTime": value}})

        asked.append(misdeed)
    stage.services.next_up[BIRDEYE].extend(asked)
    stage.comes(lambda: not stage.services.next_up[BIRDEYE])
    works_again(stage, 20.0)
    future = stage.tables.number("SELECT count(*) FROM token_snapshots WHERE last_trade_at > ts")
    stage.expect(future == 0, "I9", f"{future} trades of the future")


@scenario(
    LANE, "R24", promise="An answer that knows only of an earlier last trade than the newest row is passed over: no row of it, no price."
)
def older_answers(stage: Stage) -> None:
    before = len(stage.services.asked(BIRDEYE))

    def misdeed(request: Request, honest: Any) -> Behaviour:
        return bad.answer(
            {"success": True, "data": {**honest["data"], "price": stage.services.poison(), "lastTradeUnixTime": 1_760_000_000}}
        )

    works_again(stage, 20.0)
    stage.services.next_up[BIRDEYE].extend([misdeed] * ACTIVE)
    stage.comes(lambda: not stage.services.next_up[BIRDEYE])
    works_again(stage, 20.0)
    stage.expect(len(stage.services.asked(BIRDEYE)) >= before + 3 * ACTIVE, "played", "older answers met nobody")
