"""The page of one token, as far as it needs no database."""

from types import SimpleNamespace

import pytest
from django.utils.timezone import now
from hypothesis import given
from hypothesis import strategies as st

from tokens import moved, page

SETTINGS = SimpleNamespace(
    min_tx_count=25,
    activation_tx_margin=5,
    min_active_liquidity=500.0,
    min_score_keep_active=0.3,
    degrade_checks=10,
    degrade_window_hours=6.0,
    degrade_mode="any",
    initial_timeout_hours=24.0,
)
NEWEST = SimpleNamespace(liquidity=320.0, tx_count_5m=12)


def a_token(**fields):
    usual = {"status": "Active", "held": False, "low_checks": 0, "low_since": None, "observed_sec": 7_800.0, "last_score_value": 1.84}
    return SimpleNamespace(**{**usual, "last_check_at": now(), "chain": "solana", "address": "A", **fields})


def a_score(score, **contributions):
    stored = {
        name: {"raw": 1.0, "smoothed": 1.0, "weight": 0.25, "state": "ok", "contribution": value, "age_sec": 0.0}
        for name, value in contributions.items()
    }
    return SimpleNamespace(score=score, ts=now(), settings=SimpleNamespace(pk=1), components=stored)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=4))
def test_what_is_shown_adds_up_to_the_score_that_is_shown(values):
    shown = moved.adding_up(values, sum(values))
    written = sum(round(float(text.replace("−", "-")) * 1000) for text in shown)
    assert abs(written - sum(values) * 1000) <= 0.5 + 1e-6
    assert all(abs(float(text.replace("−", "-")) - value) <= 0.001 + 1e-9 for text, value in zip(shown, values, strict=True))


def test_the_sum_is_written_with_its_signs():
    explained = page.explained(a_score(0.030, tx_accel=0.0836, vol_momentum=0.0694, orderflow_imbalance=-0.123))
    assert explained.sum == "0.084 transactions + 0.069 volume − 0.123 order flow"


def test_a_metric_that_does_not_count_is_named():
    explained = page.explained(a_score(0.5, tx_accel=0.5, vol_momentum=0.0, orderflow_imbalance=0.0))
    assert explained.note == "holders left out, the other weights scaled up to fill the place"


def test_a_score_of_which_nothing_is_known_is_explained_as_nothing():
    explained = page.explained(a_score(None))
    assert explained.sum == "nothing that counts"
    assert explained.note == ""
    assert page.explained(None) is None


def test_the_parts_that_rest_on_a_pace_say_that_the_hour_is_not_full():
    explained = page.explained(a_score(12.0, tx_accel=6.0, vol_momentum=6.0, orderflow_imbalance=0.0), age_sec=32.0)
    assert [bool(part.reason) for part in explained.parts] == [True, True, True, False]
    assert explained.parts[0].reason == "it is 32 s old: its hour has hardly begun, so the pace says little"
    assert not page.explained(a_score(1.0, tx_accel=1.0), age_sec=3600.0).parts[0].reason


def test_what_a_part_is_made_of_is_told_in_one_order_on_every_database():
    stored = a_score(1.0, tx_accel=1.0)
    stored.components["tx_accel"]["inputs"] = {"new": 7, "tx_count_1h": 600, "tx_count_5m": 50}
    assert [name for name, _ in page.explained(stored).parts[0].inputs] == ["5 m", "1 h", "new"]


def test_an_active_token_is_told_what_would_archive_it():
    first, second = page.outlook(a_token(low_checks=4, low_since=now()), NEWEST, SETTINGS)
    assert "10 low checks in a row within 6 h" in first
    assert "fewer than 25 transactions in 5 minutes (now 12) or a score below 0.30 (now 1.84)" in first
    assert "4 of 10" in second


def test_an_initial_token_is_told_what_would_activate_and_what_would_archive_it():
    first, second = page.outlook(a_token(status="Initial"), NEWEST, SETTINGS)
    assert "liquidity of $500 (now $320) or 30 transactions in 5 minutes (now 12)" in first
    assert second.endswith("observed so far: 2 h 10 m.")


@pytest.mark.parametrize(
    ("token", "said"),
    [(a_token(held=True), "holds this token by hand"), (a_token(status="Archived"), "Only an operator’s hand brings it back")],
)
def test_what_no_rule_will_change_is_told_as_such(token, said):
    assert said in page.outlook(token, NEWEST, SETTINGS)[0]


def test_without_any_settings_nothing_is_promised():
    assert page.outlook(a_token(), None, None) == ["No settings are known yet: nothing has been scored."]


def test_an_address_is_quoted_into_the_links():
    links = dict(page.explorers(a_token(address="a/../b?x=1&y#z")))
    assert links["Solscan"] == "https://solscan.io/token/a%2F..%2Fb%3Fx%3D1%26y%23z"
