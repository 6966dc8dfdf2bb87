"""The score once more, token by token and in plain Python: written from the descriptions, sharing no line with the code under test."""

import math

NAMES = ("tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance")
COUNTS = ("ok", "estimated", "capped")


def impossible(*values):
    return any(value is not None and (value < 0 or value > 1e18) for value in values)


def ratio(short, long, outdated):
    if impossible(short, long):
        return None, "error"
    if short is None or long is None:
        return None, "no_history"
    if outdated:
        return None, "stale"
    if long == 0:
        return None, "no_activity"
    value = (short / 5) / (long / 60)
    return (12.0, "capped") if value > 12 * (1 + 1e-9) else (min(value, 12.0), "ok")


def growth(now, before, seconds, reading_age, limit):
    if impossible(now, before):
        return None, "error"
    if now is None:
        return None, "no_history"
    if reading_age is not None and reading_age > limit:
        return None, "stale"
    if before is None or seconds is None or not 50 * 60 <= seconds <= 75 * 60:
        return None, "no_history"
    if now == 0 or before == 0:
        return None, "no_activity"
    return math.log1p((now - before) / before) * 3600 / seconds, "ok"


def imbalance(x, outdated, limit):
    volumes = None not in (x["buys_volume_5m"], x["sells_volume_5m"])
    old = outdated or (x["birdeye_age_sec"] is not None and x["birdeye_age_sec"] > limit)
    if volumes and not old:
        buys, sells, state = x["buys_volume_5m"], x["sells_volume_5m"], "ok"
    elif None not in (x["buys_5m"], x["sells_5m"]) and not outdated:
        buys, sells, state = x["buys_5m"], x["sells_5m"], "estimated"
    else:
        known_but_impossible = impossible(x["buys_5m"], x["sells_5m"])
        return None, "error" if known_but_impossible else "stale" if volumes or outdated else "no_history"
    if impossible(buys, sells):
        return None, "error"
    return (None, "no_activity") if buys + sells == 0 else ((buys - sells) / (buys + sells), state)


def metrics(x, limit, holders_limit):
    """Four pairs of value and state. `x` is one token's inputs, None for unknown."""
    silent = x["same_source"] and x["last_trade_age_sec"] is not None and 300 + limit < x["last_trade_age_sec"] <= 24 * 3600
    outdated = silent and (x["tx_count_5m"] or 0) > 0
    return [
        ratio(x["tx_count_5m"], x["tx_count_1h"], outdated),
        ratio(x["volume_5m"], x["volume_1h"], outdated),
        growth(x["holders"], x["holders_before"], x["holders_before_sec"], x["birdeye_age_sec"], holders_limit),
        imbalance(x, outdated, limit),
    ]


def into_unit(value):
    return 0.5 + 0.5 * max(-1.0, min(1.0, value))


def fair_part(name, x, state):
    """What hybrid_momentum_fair makes of one metric that counts."""
    minutes = max(5.0, min(60.0, x["age_sec"] / 60))
    if name == "tx_accel":
        return into_unit(math.log((x["tx_count_5m"] + 10) / (x["tx_count_1h"] * 5 / minutes + 10)) / math.log(12))
    if name == "vol_momentum":
        return into_unit(math.log((x["volume_5m"] + 500) / (x["volume_1h"] * 5 / minutes + 500)) / math.log(12))
    if name == "holder_growth":
        grown = math.log((x["holders"] + 20) / (x["holders_before"] + 20)) * 60 / (x["holders_before_sec"] / 60)
        return into_unit(grown / math.log(2))
    if state == "estimated":
        return into_unit((x["buys_5m"] - x["sells_5m"]) / (x["buys_5m"] + x["sells_5m"] + 10))
    return into_unit((x["buys_volume_5m"] - x["sells_volume_5m"]) / (x["buys_volume_5m"] + x["sells_volume_5m"] + 200))


def fair_factor(x):
    count, age = x["tx_count_5m"], x["last_trade_age_sec"]
    if age is None:
        age = 300 if count is None else 300 / (count + 1)
    if count is not None and count > 0:
        age = min(age, 300)
    elif count == 0:
        age = max(age, 300)
    liquidity = x["liquidity"]
    return 2 ** (-age / 600) * (0.25 if liquidity is None else liquidity / (liquidity + 5000))


def smoothed(steps, alpha, interval):
    """`steps`: (seconds since the step before, value or None). The average after the last of them, None before the first value."""
    average, since = None, 0.0
    for seconds, value in steps:
        since += seconds
        if value is None:
            continue
        average = value if average is None else average + (1 - (1 - alpha) ** (since / interval)) * (value - average)
        since = 0.0
    return average


def score(model, x, averages, states, weights):
    """From smoothed values (None before the first) and today's states to the score, None when nothing counts."""
    counted = [place for place, state in enumerate(states) if state in COUNTS]
    together = sum(weights[place] for place in counted)
    if together == 0:
        return None
    total = sum(weights[place] * averages[place] for place in counted) / together
    return total * sum(weights) if model == "hybrid_momentum" else 100 * fair_factor(x) * total
