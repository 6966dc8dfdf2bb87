"""Polling in a few lines: by every rule, and by all but one."""

import json
import time
from urllib.request import urlopen

from django.utils import timezone

from tokens.models import Pool, PoolSnapshot, StatusChange, Token, TokenSnapshot
from tothemoon.tests.soak.adversary.stage import Stage
from tothemoon.tests.soak.world import pool_address


def poll(stage: Stage, token: Token) -> None:
    """One tick of one token that keeps every rule."""
    record(stage, token, asked(stage, token))


def asked(stage: Stage, token: Token) -> float:
    with urlopen(f"{stage.services.server.url}/tokens/v1/solana/{token.address}") as answer:
        return float(json.loads(answer.read())[0]["priceUsd"])


def record(stage: Stage, token: Token, price: float, pools: bool = True) -> None:
    at = timezone.now()
    if pools:
        pool, _ = Pool.objects.get_or_create(token=token, pool_address=pool_address(token.address, 1), defaults={"dex_name": "pumpswap"})
        PoolSnapshot.objects.create(pool=pool, ts=at, price=price)
    TokenSnapshot.objects.create(token=token, ts=at, source="pools", price=price)
    time.sleep(0.002)


def believes_every_answer(stage: Stage, token: Token) -> None:
    record(stage, token, stage.services.poison())


def makes_nought_of_the_unknown(stage: Stage, token: Token) -> None:
    asked(stage, token)
    record(stage, token, 0.0)


def gives_one_token_the_price_of_another(stage: Stage, token: Token) -> None:
    other = Token(address=token.address[:-1] + ("A" if token.address[-1] != "A" else "B"))
    record(stage, token, asked(stage, other))


def writes_half_a_tick(stage: Stage, token: Token) -> None:
    record(stage, token, asked(stage, token), pools=False)


def takes_a_pool_of_nobody(stage: Stage, token: Token) -> None:
    Pool.objects.create(token=token, pool_address="X" * 43, dex_name="pumpfun")


def asks_in_a_pause(stage: Stage, token: Token) -> None:
    now = time.monotonic()
    stage.services.pauses.append((now + 30, "dexscreener", now))
    poll(stage, token)


def changes_a_status_by_leaps(stage: Stage, token: Token) -> None:
    Token.objects.filter(pk=token.pk).update(status="Archived")
    StatusChange.objects.create(token=token, old="Active", new="Archived", reason="?", actor="rule:timeout")


BROKEN_POLLS = {
    believes_every_answer: "I3",
    makes_nought_of_the_unknown: "I3",
    gives_one_token_the_price_of_another: "I3",
    writes_half_a_tick: "I3",
    takes_a_pool_of_nobody: "I3",
    asks_in_a_pause: "I7",
    changes_a_status_by_leaps: "I2",
}
