"""Evidence for the tests: a look a minute, written as rows of what each token is worth to each side."""

import numpy as np

from scoring.duel_figures import gather
from scoring.duel_looks import Look

NAN = float("nan")


def look(tokens):
    """`tokens`: key → (price, scores by side). A token is in the list of every side that has a score for it."""
    names = sorted(tokens)
    score = np.array([tokens[name][1] for name in names], dtype=np.float64).reshape(len(names), -1).T if names else np.empty((2, 0))
    return Look(np.array(names, dtype=np.int64), np.array([tokens[name][0] for name in names], dtype=np.float64), score, ~np.isnan(score))


def evidence(looks, step=60.0, at=None):
    return gather(at or [1e9 + step * number for number in range(len(looks))], [look(tokens) for tokens in looks])


def a_market(seed=1, looks=400, tokens=30, sides=2, skill=(0.0, 0.0)):
    """Prices that walk at random; each side's score knows that much of where they go in the next half hour."""
    chance = np.random.default_rng(seed)
    drift = chance.normal(0, 0.01, (looks // 30 + 1, tokens)).repeat(30, axis=0)[:looks]
    price = np.exp(np.cumsum(drift + chance.normal(0, 0.01, (looks, tokens)), axis=0))
    noise = chance.normal(0, 1, (sides, looks // 10 + 1, tokens)).repeat(10, axis=1)[:, :looks]
    score = noise + np.array(skill)[:, None, None] * drift / 0.01
    return [{name: (price[n, name], score[:, n, name].tolist()) for name in range(tokens)} for n in range(looks)]
