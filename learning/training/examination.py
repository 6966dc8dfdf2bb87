"""The examination of one horizon: windows that walk forward, in each of them a model that knows only what was over before. Pure.

The model passes where it beats every baseline with confidence, each head by itself: the direction by log loss, the expected return and the
risk by squared error. A head that does not is left out, and a horizon whose direction does not is left out whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.training import importances, measures
from learning.training.boosted import TooFew
from learning.training.labels import DIRECTIONS, DOWN, UP, Labels
from learning.training.lesson import BASELINES, Learnt, Said, baseline_says, learn, model_says
from learning.training.measures import Witnesses, plain
from learning.training.plan import HEADS, LEAST_BLOCKS, LEAST_FOLDS, LEAST_TESTED, Plan, block_sec
from learning.training.sample import Sample
from learning.training.windows import windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

BEST = 0.1  # share of the rows of one moment that somebody would have bought


@dataclass(frozen=True, eq=False)
class Answers:
    """All examined rows of one horizon, in the order of time, and what each forecaster said. The cap is that of each row's own lesson."""

    rows: Sample
    labels: Labels
    said: dict[str, Said]  # `model` and the baselines
    cap: Numbers
    last: Learnt  # of the last window
    last_rows: Sample
    windows: int


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the examination found. `passed` has a truth for each head; `told` goes to the registry; `best` is the hardest baseline."""

    passed: dict[str, bool]
    told: dict[str, Any]
    importances: list[dict[str, Any]]
    why_not: str = ""
    best: str = "constant"

    @property
    def passes(self) -> bool:
        return self.passed.get("direction", False)


def examine(sample: Sample, horizon: int, plan: Plan, names: tuple[str, ...], step: Callable[[], None]) -> Verdict:
    """`step` is called after each window and once at the end."""
    try:
        answers = answer(sample.known_at(horizon), horizon, plan, step)
    except TooFew as few:
        return Verdict({}, {"rows": int(sample.labels[horizon].known.sum()), "why_not": f"not examined: {few}"}, [], f"not examined: {few}")
    verdict = judge(answers, horizon, plan, names)
    step()
    return verdict


def answer(rows: Sample, horizon: int, plan: Plan, step: Callable[[], None]) -> Answers:
    """Learn and be asked, window after window."""
    if not len(rows):
        raise TooFew("no row has a known outcome")
    seconds, said, places, caps = horizon * 60, [], [], []
    asked = windows(int(rows.ts[0]), int(rows.ts[-1]), plan.folds, seconds, seconds)
    learnt = None
    for window in asked:
        place = np.flatnonzero(window.tested(rows.ts))
        if not len(place):
            continue
        learnt = learn(rows.of(np.flatnonzero(window.taught(rows.ts))), horizon, plan)
        tested = rows.of(place)
        said.append({"model": model_says(learnt, tested)} | {name: baseline_says(learnt, name, tested, horizon) for name in BASELINES})
        places.append(place)
        caps.append(np.full(len(place), learnt.cap))
        step()
    if learnt is None or len(said) < LEAST_FOLDS:
        raise TooFew(f"{len(said)} windows have rows, at least {LEAST_FOLDS} are needed")
    every = rows.of(np.concatenate(places))
    if len(every) < LEAST_TESTED:
        raise TooFew(f"{len(every)} rows to be examined with, at least {LEAST_TESTED} are needed")
    joined = {name: _joined([each[name] for each in said]) for name in said[0]}
    return Answers(every, every.labels[horizon], joined, np.concatenate(caps), learnt, rows.of(places[-1]), len(said))


def _joined(parts: list[Said]) -> Said:
    return Said(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("probabilities", "gross", "fall")))


def judge(answers: Answers, horizon: int, plan: Plan, names: tuple[str, ...]) -> Verdict:
    """TooFew blocks of time to say how sure anything is: not passed, and said so."""
    rows, labels, model = answers.rows, answers.labels, answers.said["model"]
    witnesses = Witnesses.of(rows.ts, rows.token, block_sec(horizon))
    losses = {name: errors(said, labels, answers.cap) for name, said in answers.said.items()}
    told: dict[str, Any] = {
        "rows": len(rows),
        "tokens": len(np.unique(rows.token)),
        "marks": len(np.unique(rows.ts)),
        "windows": answers.windows,
        "blocks": witnesses.blocks,
        "from": int(rows.ts[0]),
        "to": int(rows.ts[-1]),
        "rates": {name: float((labels.direction == way).mean()) for way, name in enumerate(DIRECTIONS)},
        "brier": plain(witnesses.mean(measures.brier(model.probabilities, labels.direction), plan.confidence)),
        "rank_correlation": plain(_rank_correlation(answers, horizon, plan.confidence)),
        "net_of_the_best": plain(witnesses.mean(_net_of_the_best(answers), plan.confidence)),
        "net_of_all": plain(witnesses.mean(labels.net, plan.confidence)),
        "reliability": measures.reliability(model.probabilities[:, UP], labels.direction == UP),
        "level": plan.level,
    }
    passed = {}
    for head in HEADS:
        told[head], passed[head] = compare(witnesses, {name: loss[head] for name, loss in losses.items()}, plan)
    best = min(BASELINES, key=lambda name: losses[name]["direction"].mean())
    why_not = _why_not(told["direction"], witnesses.blocks) if not passed["direction"] else ""
    told |= {"passed": passed, "why_not": why_not, "hardest": best}
    found = importances.permuted(answers.last, answers.last_rows, horizon, plan.seed, names)
    return Verdict(passed, told, found, why_not, best)


def errors(said: Said, labels: Labels, cap: Numbers) -> dict[str, Numbers]:
    """Of each row, by head: the smaller the better."""
    return {
        "direction": measures.log_loss(said.probabilities, labels.direction),
        "gross": measures.squared_error(said.gross, np.minimum(labels.gross, cap)),
        "fall": measures.squared_error(said.fall, labels.fall),
    }


def compare(witnesses: Witnesses, losses: dict[str, Numbers], plan: Plan) -> tuple[dict[str, Any], bool]:
    """Each forecaster's mean loss, and the model's minus each baseline's: below zero with all of its interval is beaten."""
    told: dict[str, Any] = {"loss": {name: plain(witnesses.mean(loss, plan.confidence)) for name, loss in losses.items()}, "against": {}}
    beaten = []
    for name in BASELINES:
        ahead = losses["model"] - losses[name]
        found = witnesses.mean(ahead, plan.level)
        beaten.append(witnesses.enough(~np.isnan(ahead)) and bool(found.high < 0))
        told["against"][name] = plain(found) | {"beaten": beaten[-1]}
    return told, all(beaten)


def _why_not(told: dict[str, Any], blocks: int) -> str:
    if blocks < LEAST_BLOCKS:
        return f"the examination covers {blocks} independent spans of time, at least {LEAST_BLOCKS} are needed"
    unbeaten = [
        f"{name} ({told['loss']['model']['value']:.4f} against {told['loss'][name]['value']:.4f}, "
        f"difference {found['low']:+.4f} … {found['high']:+.4f})"
        for name, found in told["against"].items()
        if not found["beaten"]
    ]
    return f"does not beat {' nor '.join(unbeaten)}"


def _leaning(answers: Answers) -> Numbers:
    said = answers.said["model"].probabilities
    return np.asarray(said[:, UP] - said[:, DOWN], dtype=np.float64)


def _rank_correlation(answers: Answers, horizon: int, level: float) -> Any:
    return measures.rank_correlation(answers.rows.ts, _leaning(answers), answers.labels.gross, block_sec(horizon), level)


def _net_of_the_best(answers: Answers) -> Numbers:
    """The return after cost of the rows that lean up most, at least one at each moment; NaN for the others."""
    leaning, found = _leaning(answers), np.full(len(answers.rows), np.nan)
    order = np.lexsort((-leaning, answers.rows.ts))
    for rows in np.split(order, np.flatnonzero(np.diff(answers.rows.ts[order])) + 1):
        chosen = rows[: max(1, int(len(rows) * BEST))]
        found[chosen] = answers.labels.net[chosen]
    return found
