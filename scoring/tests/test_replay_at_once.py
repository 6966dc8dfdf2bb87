"""A replay works out a whole history at once; what it gives is what the workers' own functions give tick by tick, to the last bit."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from scoring import over_history
from scoring.course import Course
from scoring.history import MODELS
from scoring.metrics import Memory, add_up, measure, score_tick, weigh
from scoring.models import ScoringSettings
from scoring.settings_in_force import formula, status_rule
from scoring.tests.columns import formula as a_formula
from scoring.tests.stretches import a_stretch
from scoring.whatif import ACTIVE, ARCHIVED, INITIAL, replay
from tokens.status_rule import ACTIVATE, STAY, Seen, judge, trades_are_outdated

DRAFTS = [
    {"degrade_checks": 2},
    {"weight_tx_accel": 0.0, "ewma_alpha": 1.0, "degrade_checks": 3},
    {"interval_active_sec": 60, "interval_initial_sec": 20, "degrade_checks": 2, "min_tx_count": 40},
    {"initial_timeout_hours": 1, "min_active_liquidity": 1e6, "min_tx_count": 55, "initial_young_minutes": 1},
    {"degrade_mode": "both", "degrade_checks": 1, "min_score_keep_active": 2.0, "degrade_window_hours": 1},
    {"score_model": "hybrid_momentum_fair", "min_score_keep_active": 30, "ewma_alpha": 0.05},
]


class Walk:
    """The stretch, turn after turn, by `score_tick` and `judge`."""

    def __init__(self, stretch, revision):
        self.stretch, self.by, self.rule = stretch, formula(revision), status_rule(revision)
        mine, size = stretch.seed_model == MODELS.index(revision.score_model), stretch.pks.size
        self.memory = Memory(np.where(mine, stretch.seed.value, np.nan), np.where(mine, stretch.seed.age_sec, np.nan))
        self.status = np.where(stretch.active, ACTIVE, INITIAL)
        self.last_check_at, self.observed_sec = stretch.seed_ts.copy(), stretch.observed_sec.copy()
        self.low_since, self.low_checks = np.full(size, np.nan), np.zeros(size)
        self.score, self.changes = np.full(stretch.rows, np.nan), []
        for begin, end in pairwise(stretch.turns.tolist()):
            self.go(slice(begin, end), slice(0, end - begin))

    def go(self, rows, now):
        stretch, rule = self.stretch, self.rule
        inputs = type(stretch.inputs)(**{name: getattr(stretch.inputs, name)[rows] for name in stretch.inputs.__slots__})
        active, watched = self.status[now] == ACTIVE, self.status[now] != ARCHIVED
        interval = np.where(active, rule.interval_active_sec, rule.interval_initial_sec)
        before = Memory(self.memory.value[:, now], self.memory.age_sec[:, now])
        scored = score_tick(inputs, before, stretch.elapsed_sec[rows], interval, self.by)
        self.memory.value[:, now], self.memory.age_sec[:, now] = scored.memory.value, scored.memory.age_sec
        self.score[rows] = np.where(watched, scored.score, np.nan)
        at = stretch.columns["ts"][rows]
        found = judge(self.seen(rows, now, at, inputs, active, scored.score), rule, at)
        looked = found.looked & watched & ~stretch.held[now]
        self.last_check_at[now] = np.where(looked, at, self.last_check_at[now])
        for name in ("observed_sec", "low_since", "low_checks"):
            getattr(self, name)[now] = np.where(looked, getattr(found, name), getattr(self, name)[now])
        for place in np.flatnonzero((found.verdict != STAY) & looked).tolist():
            verdict = int(found.verdict[place])
            self.changes.append((place, rows.start + place, verdict))
            self.status[place] = ACTIVE if verdict == ACTIVATE else ARCHIVED
            self.observed_sec[place], self.low_since[place], self.low_checks[place] = 0.0, np.nan, 0.0

    def seen(self, rows, now, at, inputs, active, score):
        last_trade = np.where(inputs.same_source, inputs.last_trade_age_sec, np.nan)
        return Seen(
            active=active, age_sec=at - self.stretch.created_at[now], snapshot_at=at, last_check_at=self.last_check_at[now],
            observed_sec=self.observed_sec[now], low_since=self.low_since[now], low_checks=self.low_checks[now],
            tx_count_5m=inputs.tx_count_5m, liquidity=inputs.liquidity, pools=(self.stretch.pool_since[now] <= at) * 1.0,
            contradictory=self.stretch.columns["contradictory"][rows] == 1, score=score,
            outdated=trades_are_outdated(last_trade, inputs.tx_count_5m, self.rule.freshness_limit_sec),
        )  # fmt: skip


@pytest.mark.parametrize("changes", DRAFTS)
def test_a_replay_is_what_the_workers_functions_give_turn_by_turn(changes, monkeypatch):
    revision, verdicts = ScoringSettings(**changes), set()
    for seed, block in ((0, 5), (1, 64), (2, 8192)):
        monkeypatch.setattr("scoring.over_history.TOGETHER", block)
        monkeypatch.setattr("scoring.course.BLOCK", block)
        stretch = a_stretch(np.random.default_rng(seed), most_rows=25)
        walked, played = Walk(stretch, revision), replay(stretch, revision)
        np.testing.assert_array_equal(played.score, walked.score)
        assert (played.changes, played.status.tolist()) == (walked.changes, walked.status.tolist())
        np.testing.assert_array_equal(played.low_checks, walked.low_checks)
        there = played.status != ARCHIVED
        np.testing.assert_array_equal(played.memory.value[:, there], walked.memory.value[:, there])
        np.testing.assert_array_equal(played.memory.age_sec[:, there], walked.memory.age_sec[:, there])
        verdicts |= {verdict for _, _, verdict in played.changes}
    assert len(verdicts) >= 2


def test_a_second_replay_of_the_same_smoothing_takes_what_the_first_has_worked_out(monkeypatch):
    stretch, calls = a_stretch(np.random.default_rng(3), most_rows=10), []
    original = over_history.smooth_history
    monkeypatch.setattr("scoring.whatif.smooth_history", lambda *given: calls.append(given[5]) or original(*given))
    for weight, alpha in ((0.3, 0.3), (0.4, 0.3), (0.4, 0.2), (0.3, 0.3)):
        revision = ScoringSettings(weight_tx_accel=weight, ewma_alpha=alpha)
        np.testing.assert_array_equal(replay(stretch, revision).score, Walk(stretch, revision).score)
    assert calls == [0.3, 0.2, 0.3]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("weights", [(0.25, 0.25, 0.25, 0.25), (0.0, 0.7, 0.0, 0.1), (0.0, 0.0, 0.0, 0.0)])
def test_scores_of_a_history_are_the_sums_of_what_is_weighed(model, weights):
    stretch = a_stretch(np.random.default_rng(1), most_rows=200)
    measured, by = measure(stretch.inputs, 180.0, 1800.0), a_formula(model, weights)
    parts, factors = by.model.parts(stretch.inputs, measured), by.model.factors(stretch.inputs)
    expected = add_up(weigh(parts, measured.counted, by, factors))
    np.testing.assert_array_equal(over_history.scores(parts, measured.counted, by, factors), expected)


def test_where_every_token_is_active_already_or_held_nobody_waits_and_nothing_changes():
    stretch = a_stretch(np.random.default_rng(4))
    stretch = replace(stretch, active=~stretch.held)
    found = Course(stretch, status_rule(ScoringSettings(initial_timeout_hours=0.01)))
    assert found.changes == []
    assert found.watched().all()
    np.testing.assert_array_equal(found.status, np.where(stretch.held, INITIAL, ACTIVE))
