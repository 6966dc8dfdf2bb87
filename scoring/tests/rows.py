"""Real rows for the tests: tokens with pools, snapshots that the next tick finds."""

from datetime import timedelta

from tokens.models import Pool, Status, Token, TokenSnapshot

FIGURES = {"price": 0.001, "liquidity": 40_000.0, "tx_count_5m": 60, "tx_count_1h": 480, "volume_5m": 900.0, "volume_1h": 9000.0}
FIGURES |= {"buys_5m": 40, "sells_5m": 20, "buys_volume_5m": 600.0, "sells_volume_5m": 300.0, "holders": 200}


def make_token(now, name="A", status=Status.ACTIVE, **fields):
    fields = {"created_at": now - timedelta(hours=5), "status_changed_at": now} | fields
    token = Token.objects.create(address=name.ljust(44, "x"), symbol=name, status=status, **fields)
    Pool.objects.create(token=token, pool_address=f"pool of {name}", dex_name="pumpswap", first_seen=token.created_at)
    return token


def see(token, at, **figures):
    """One snapshot; the token knows it as its newest. By default all figures come from Birdeye, at that moment."""
    figures = {"source": "birdeye", "birdeye_at": at} | FIGURES | figures
    TokenSnapshot.objects.create(token=token, ts=at, **figures)
    Token.objects.filter(pk=token.pk).update(last_snapshot_at=at)
