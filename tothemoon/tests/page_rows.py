"""Real rows for the tests of the public pages."""

from datetime import datetime, timedelta
from typing import Any

from scoring.models import ScoringSettings, TokenScore
from tokens.models import Pool, PoolSnapshot, Status, StatusChange, Token, TokenSnapshot

ADDRESS = "9b1BzC1af5uQ8mYfW2kTn3cD4eFgHiJkLmNoPqRstpump"


def address(number: int) -> str:
    return f"{number:0>10}".replace("0", "A").ljust(40, "B") + "pump"


def part(raw: float | None, state: str = "ok", weight: float = 0.25, contribution: float | None = None, **inputs: Any) -> dict[str, Any]:
    smoothed = raw if raw is not None else 0.9
    return {
        "raw": raw,
        "smoothed": smoothed,
        "contribution": contribution if contribution is not None else None if raw is None else weight * raw,
        "age_sec": 0.0 if raw is not None else 600.0,
        "weight": weight,
        "state": state,
        "inputs": inputs,
    }


def components(**changed: dict[str, Any]) -> dict[str, Any]:
    """A token with twice the trades and half again the volume of its hour, 4 % more holders, and buyers ahead."""
    usual = {
        "tx_accel": part(2.1, tx_count_5m=330, tx_count_1h=1885),
        "vol_momentum": part(1.5, volume_5m=15_200.0, volume_1h=121_600.0),
        "holder_growth": part(0.04, holders=1204, holders_before=1157, minutes_between=60.0, reading_age_sec=12.0),
        "orderflow_imbalance": part(0.12, buys=8_512.0, sells=6_688.0, reading_age_sec=12.0),
    }
    return {**usual, **changed}


def a_token(now: datetime, number: int = 0, status: str = Status.ACTIVE, **fields: Any) -> Token:
    """A token that migrated two hours ago, without figures."""
    since = now - timedelta(hours=2)
    usual = {"address": address(number), "symbol": f"T{number}", "name": "", "created_at": since, "status_changed_at": since}
    return Token.objects.create(status=status, **{**usual, **fields})


def figures(token: Token, ts: datetime, **fields: Any) -> TokenSnapshot:
    """Its newest snapshot."""
    snapshot = TokenSnapshot.objects.create(token=token, ts=ts, **{**usual_figures(ts), **fields})
    Token.objects.filter(pk=token.pk).update(last_snapshot_at=ts)
    return snapshot


def usual_figures(ts: datetime) -> dict[str, Any]:
    return {
        "source": "birdeye",
        "price": 0.00118,
        "liquidity": 202_000.0,
        "holders": 1204,
        "tx_count_5m": 330,
        "tx_count_1h": 1885,
        "volume_5m": 15_200.0,
        "volume_1h": 121_600.0,
        "buys_5m": 180,
        "sells_5m": 150,
        "buys_volume_5m": 8_512.0,
        "sells_volume_5m": 6_688.0,
        "birdeye_at": ts,
    }


def in_force() -> ScoringSettings:
    """The active revision; a test with a live server has swept away the one that the migrations made."""
    return ScoringSettings.objects.get_or_create(active=True, defaults={"note": "defaults"})[0]


def scored(token: Token, ts: datetime, score: float | None = 0.94, **parts: dict[str, Any]) -> TokenScore:
    """Its newest score, with the settings in force."""
    row = TokenScore.objects.create(token=token, ts=ts, score=score, components=components(**parts), settings=in_force())
    Token.objects.filter(pk=token.pk).update(last_score_value=score, last_scored_at=ts)
    return row


def a_pool(token: Token, now: datetime, number: int = 0, **fields: Any) -> Pool:
    pool = Pool.objects.create(token=token, pool_address=f"Pool{token.pk}x{number}", dex_name="pumpswap", quote_symbol="SOL", opened_at=now)
    PoolSnapshot.objects.create(pool=pool, ts=now, **{"liquidity": 1_000.0 * (number + 1), "tx_count_5m": 30, "volume_1h": 900.0, **fields})
    return pool


def changed(token: Token, ts: datetime, old: str, new: str, reason: str, actor: str = "rule:activate") -> StatusChange:
    return StatusChange.objects.create(token=token, old=old, new=new, reason=reason, actor=actor, ts=ts)


def a_whole_token(now: datetime, number: int = 0, status: str = Status.ACTIVE, score: float = 0.94, **fields: Any) -> Token:
    """A token with everything: figures, score, pool, history."""
    token = a_token(now, number, status, **fields)
    ts = now - timedelta(seconds=5)
    figures(token, ts)
    scored(token, ts - timedelta(minutes=10), score - 0.1)
    scored(token, ts, score)
    a_pool(token, now)
    changed(token, now - timedelta(hours=2), "", "Initial", "migrated to pump-amm", "listener")
    return token


def many_whole_tokens(now: datetime, number: int, first: int = 0) -> list[Token]:
    """So many Active tokens with figures, score and pool, in a few statements."""
    ts, since, settings = now - timedelta(seconds=5), now - timedelta(hours=2), in_force()
    moments = {"created_at": since, "status_changed_at": since, "last_snapshot_at": ts, "last_scored_at": ts, "last_score_value": 0.9}
    numbers = range(first, first + number)
    tokens = Token.objects.bulk_create(
        Token(address=address(n), symbol=f"T{n}", name=f"name {n}", status="Active", **moments) for n in numbers
    )
    TokenSnapshot.objects.bulk_create(TokenSnapshot(token=token, ts=ts, **usual_figures(ts)) for token in tokens)
    TokenScore.objects.bulk_create(
        TokenScore(token=token, ts=ts, score=0.9, components=components(), settings=settings) for token in tokens
    )
    Pool.objects.bulk_create(Pool(token=token, pool_address=f"Pool{token.pk}", dex_name="pumpswap") for token in tokens)
    return tokens
