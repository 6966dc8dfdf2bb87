import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.status_rule import ACTIVATE, DEGRADE, STAY, TIME_OUT, Rule, Seen, duration, judge, reason, thresholds, trades_are_outdated

NOW = 1_800_000_000.0
RULE = Rule()
FLAGS = ("active", "contradictory", "outdated")
DEFAULTS = {
    "active": True,
    "age_sec": 3600.0,
    "snapshot_at": NOW,
    "last_check_at": NOW - 30,
    "observed_sec": 0.0,
    "low_since": None,
    "low_checks": 0,
    "tx_count_5m": 100,
    "liquidity": 100_000.0,
    "pools": 1,
    "contradictory": False,
    "outdated": False,
    "score": 1.0,
}


def seen(*tokens):
    rows = [DEFAULTS | token for token in tokens]
    return Seen(**{name: np.array([row[name] for row in rows], dtype=bool if name in FLAGS else np.float64) for name in DEFAULTS})


def judged(rule=RULE, now=NOW, **token):
    found = judge(seen(token), rule, now)
    return int(found.verdict[0]), int(found.low_checks[0]), float(found.observed_sec[0]), bool(found.looked[0])


def verdict(rule=RULE, now=NOW, **token):
    return judged(rule, now, **token)[0]


INITIAL = {"active": False, "tx_count_5m": 3, "liquidity": 10.0}
LOW = {"tx_count_5m": 12, "low_checks": 9, "low_since": NOW - 270}


@pytest.mark.parametrize("known", [{"liquidity": 500.0}, {"tx_count_5m": 25}, {"liquidity": 1e9, "tx_count_5m": None}])
def test_liquidity_or_transactions_make_a_token_active(known):
    assert verdict(**INITIAL | known) == ACTIVATE


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"liquidity": 499.99},
        {"tx_count_5m": 24},
        {"liquidity": None, "tx_count_5m": None},
        {"liquidity": 1e6, "pools": 0},
        {"tx_count_5m": 1000, "pools": 0},
        {"liquidity": 1e6, "contradictory": True},
        {"liquidity": 1e6, "outdated": True},
        {"liquidity": 1e6, "snapshot_at": NOW - 181},
        {"liquidity": 1e6, "snapshot_at": NOW + 181},
        {"liquidity": 1e6, "last_check_at": NOW},
    ],
)
def test_without_a_pool_enough_and_fresh_sound_figures_it_stays(known):
    assert verdict(**INITIAL | known) == STAY


def test_old_figures_returned_once_more_are_known_by_a_last_trade_before_their_window_and_not_by_one_of_last_year():
    ages = np.array([480.0, 481.0, 36_000.0, 86_400.0, 86_401.0, np.nan, 36_000.0])
    counts = np.array([5.0, 1.0, 5.0, 5.0, 5.0, 5.0, 0.0])
    assert trades_are_outdated(ages, counts, 180.0).tolist() == [False, True, True, True, False, False, False]


def test_the_limits_themselves_still_count():
    assert verdict(**INITIAL | {"liquidity": 1e6, "snapshot_at": NOW - 180, "last_check_at": NOW - 300}) == ACTIVATE
    assert verdict(**INITIAL | {"liquidity": 1e18}) == verdict(**INITIAL | {"tx_count_5m": 1e18}) == ACTIVATE


@pytest.mark.parametrize(
    ("token", "began"),
    [
        (LOW, NOW - 270),
        (LOW | {"low_checks": 0, "low_since": None}, NOW),
        (LOW | {"low_checks": 1, "low_since": NOW - 30}, NOW - 30),
        (LOW | {"low_since": NOW - 6 * 3600 - 1}, NOW),
        (LOW | {"low_checks": 0, "low_since": NOW - 30}, NOW),
        (LOW | {"tx_count_5m": 25}, None),
        (LOW | {"tx_count_5m": None, "score": None}, NOW - 270),
        (LOW | {"last_check_at": NOW}, NOW - 270),
    ],
)
def test_a_run_of_low_checks_knows_when_it_began(token, began):
    since = float(judge(seen(token), RULE, NOW).low_since[0])
    assert since == began if began is not None else np.isnan(since)


def test_a_verdict_is_one_small_number_a_token():
    found = judge(seen({}, LOW, INITIAL), RULE, NOW)
    assert found.verdict.dtype == np.int8
    assert found.verdict.tolist() == [STAY, DEGRADE, STAY]


def test_what_the_figures_were_held_against_is_named_as_the_settings_name_it():
    rule = Rule(activation_tx_margin=5)
    assert thresholds(ACTIVATE, rule) == {"min_active_liquidity": 500.0, "enter_tx_count": 30}
    assert thresholds(TIME_OUT, rule) == {"initial_timeout_sec": 86_400.0}
    low = {"min_tx_count": 25, "min_score_keep_active": 0.3, "degrade_checks": 10, "degrade_window_sec": 21_600.0}
    assert thresholds(DEGRADE, rule) == low | {"degrade_mode": "any"}
    assert thresholds(DEGRADE, Rule(degrade_both=True)) == low | {"degrade_mode": "both"}


def test_to_enter_takes_the_margin_and_to_stay_does_not():
    rule = Rule(activation_tx_margin=10)
    assert verdict(rule, **INITIAL | {"tx_count_5m": 34}) == STAY
    assert verdict(rule, **INITIAL | {"tx_count_5m": 35}) == ACTIVATE
    assert judged(rule, tx_count_5m=25)[:2] == (STAY, 0)


def test_the_tenth_low_check_in_a_row_archives():
    assert judged(**LOW | {"low_checks": 8})[:2] == (STAY, 9)
    assert judged(**LOW)[:2] == (DEGRADE, 10)


def test_one_good_check_ends_the_run():
    assert judged(**LOW | {"tx_count_5m": 25})[:2] == (STAY, 0)


def test_a_run_longer_than_its_window_begins_anew():
    assert judged(**LOW | {"low_since": NOW - 6 * 3600})[:2] == (DEGRADE, 10)
    assert judged(**LOW | {"low_since": NOW - 6 * 3600 - 1})[:2] == (STAY, 1)


@pytest.mark.parametrize(
    ("both", "few", "weak", "checks"),
    [
        (False, True, False, 10),
        (False, False, True, 10),
        (False, False, False, 0),
        (True, True, True, 10),
        (True, True, False, 0),
        (True, False, True, 0),
        (False, None, None, 9),
        (False, None, False, 9),
        (False, None, True, 10),
        (False, True, None, 10),
        (False, False, None, 0),
        (True, None, None, 9),
        (True, True, None, 9),
        (True, None, True, 9),
        (True, False, None, 0),
        (True, None, False, 0),
    ],
)
def test_what_is_a_low_check_a_good_one_and_one_that_says_nothing(both, few, weak, checks):
    token = LOW | {
        "tx_count_5m": {True: 24, False: 25, None: None}[few],
        "score": {True: 0.29, False: 0.3, None: None}[weak],
    }
    assert judged(Rule(degrade_both=both), **token)[1] == checks


def test_contradictory_figures_are_no_good_check_but_may_be_a_low_one():
    assert judged(**LOW | {"tx_count_5m": 500, "contradictory": True})[:2] == (STAY, 9)
    assert judged(**LOW | {"contradictory": True})[0] == DEGRADE


@pytest.mark.parametrize("stale", [{"snapshot_at": NOW - 181, "last_check_at": NOW - 300}, {"last_check_at": NOW}, {"outdated": True}])
def test_a_check_without_fresh_data_counts_for_nothing(stale):
    assert judged(**LOW | stale) == (STAY, 9, 0.0, False)


def test_a_token_that_never_became_active_is_archived_after_its_observed_time():
    assert verdict(**INITIAL | {"observed_sec": 86_399.0 - 30}) == STAY
    assert verdict(**INITIAL | {"observed_sec": 86_400.0 - 30}) == TIME_OUT


def test_becoming_active_at_the_last_moment_goes_before_the_timeout():
    assert verdict(**INITIAL | {"observed_sec": 1e6, "tx_count_5m": 25}) == ACTIVATE


@pytest.mark.parametrize(
    ("active", "age_sec", "pause", "counted"),
    [(True, 9e5, 30, 30), (True, 9e5, 86_400, 90), (False, 600, 86_400, 90), (False, 7200, 86_400, 180), (False, 9e5, 86_400, 1800)],
)
def test_a_gap_counts_for_no_more_than_a_few_intervals(active, age_sec, pause, counted):
    """An old Initial token is polled up to 20 intervals apart: for it that is no gap."""
    known = {"active": active, "age_sec": age_sec, "last_check_at": NOW - pause, "liquidity": 0.0, "tx_count_5m": 0}
    assert judged(**known)[2] == counted


def test_the_first_check_observes_nothing_yet():
    assert judged(last_check_at=None)[2:] == (0.0, True)


numbers = st.none() | st.sampled_from([float("nan"), float("inf"), -float("inf"), -1.0, 1e300, 0.0])


@given(st.fixed_dictionaries(dict.fromkeys(["tx_count_5m", "liquidity", "score", "pools"], numbers)))
def test_poison_never_promotes(figures):
    assert verdict(**INITIAL | figures | {"pools": 1}) == STAY


@given(st.floats(0, 1e18), st.integers(0, 10**9))
def test_what_contradicts_itself_never_promotes(liquidity, count):
    assert verdict(**INITIAL | {"liquidity": liquidity, "tx_count_5m": count, "contradictory": True}) == STAY


tokens = st.fixed_dictionaries({"active": st.booleans(), "tx_count_5m": numbers, "liquidity": numbers, "low_checks": st.integers(0, 12)})


@given(st.lists(tokens, min_size=1))
def test_no_token_changes_what_is_said_of_another(tokens):
    together = judge(seen(*tokens), RULE, NOW)
    assert together.verdict.tolist() == [verdict(**token) for token in tokens]


def test_every_change_has_its_sentence():
    numbers = {"tx_count_5m": 12, "low_checks": 10, "low_for_sec": 47 * 60, "score": 0.5, "liquidity": 15_200, "pools": 2}
    assert reason(DEGRADE, numbers, RULE) == "tx_count_5m 12 < 25 on 10 checks in 47 min"
    assert reason(ACTIVATE, numbers, RULE) == "liquidity $15,200 ≥ $500, 2 pools"
    assert reason(ACTIVATE, numbers | {"tx_count_5m": 40, "pools": 1}, RULE) == "liquidity $15,200 ≥ $500 and tx_count_5m 40 ≥ 25, 1 pool"
    assert reason(DEGRADE, numbers | {"score": 0.21}, RULE) == "tx_count_5m 12 < 25 and score 0.210 < 0.3 on 10 checks in 47 min"
    assert reason(DEGRADE, numbers | {"low_checks": 1, "score": 0.3}, RULE) == "tx_count_5m 12 < 25 on 1 check in 47 min"
    assert reason(DEGRADE, numbers | {"tx_count_5m": 25, "score": 0.2}, RULE) == "score 0.200 < 0.3 on 10 checks in 47 min"
    barely = {"liquidity": 500, "tx_count_5m": 25, "pools": 1}
    assert reason(ACTIVATE, barely, RULE) == "liquidity $500 ≥ $500 and tx_count_5m 25 ≥ 25, 1 pool"
    expected = "not activated within 24 h of observed time (24 h 5 min observed)"
    assert reason(TIME_OUT, {"observed_sec": 86_700}, RULE) == expected


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "1 h"), (20_880, "5 h 48 min")])
def test_durations_as_people_say_them(seconds, words):
    assert duration(seconds) == words
