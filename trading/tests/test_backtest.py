"""The whole of it over past bars: nothing of the future, the same cut as live, and an account of what was left out."""

from dataclasses import replace

import numpy as np
import pytest

from tokens.bar_grid import AMOUNTS, PRICES, Grid, joined
from trading.backtest import data_hash, replay, result_of
from trading.book import DAY_SEC
from trading.calibration import Calibration, Outcomes
from trading.gate_ledger import ledger, reasons_of, shadow
from trading.pipeline import Known, Learned, Memory, StageRules, decide, signal_key
from trading.prefilter import AssetFacts, PrefilterRule
from trading.tests.moods import BEGIN, EAGER, material_of, moody
from trading.windows import WINDOW

RULES = StageRules.from_settings(EAGER)
NOW = 900


@pytest.fixture(scope="module")
def grid() -> Grid:
    return moody(1200, 3, gaps=0.01)


def shuffled_future(grid: Grid, now: int) -> Grid:
    order = np.concatenate([np.arange(now), np.random.default_rng(1).permutation(np.arange(now, len(grid)))])
    return replace(grid, **{name: getattr(grid, name)[order] for name in (*PRICES, *AMOUNTS)})


def test_the_future_changes_nothing_before_it(grid: Grid) -> None:
    found = replay(material_of(grid), RULES)
    assert (found.decided.signals.row < NOW).sum() > 5
    for other in (grid.rows(slice(0, NOW)), shuffled_future(grid, NOW)):
        again = replay(material_of(other), RULES)
        told = [(one.decided.signals, one.decided.signals.row < NOW) for one in (found, again)]
        for name in ("key", "side", "confidence", "stop", "targets", "refused"):
            first, second = (getattr(signals, name)[before] for signals, before in told)
            np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(found.outcome.equity[:NOW], again.outcome.equity[:NOW])


def test_a_live_cycle_decides_what_the_back_test_decides(grid: Grid) -> None:
    first = WINDOW + 300
    days = Known(days=None)
    whole = decide(grid, RULES, Memory.empty(3), days, first_row=first)
    memory, keys, confidence = Memory.empty(3), [], []
    for row in range(first, len(grid), 1):
        live = decide(grid.rows(slice(row + 1 - WINDOW, row + 1)), RULES, memory, days, first_row=WINDOW - 1)
        memory = live.memory
        keys += live.signals.key.tolist()
        confidence += live.signals.confidence.tolist()
    assert keys == whole.signals.key.tolist()
    np.testing.assert_allclose(confidence, whole.signals.confidence, rtol=1e-9)
    assert len(keys) > 5


def test_a_late_part_remembers_what_the_whole_did(grid: Grid) -> None:
    unknown, some = np.full(3, np.nan), np.zeros(3, dtype=bool)
    facts = [(row, AssetFacts(np.array([5e4, 5e4, liquid]), *[unknown] * 4, some, some)) for row, liquid in ((0, 5e4), (890, 4.5e4))]
    material = material_of(grid)
    material = replace(material, known=replace(material.known, facts=facts))
    rules = replace(RULES, prefilter=replace(PrefilterRule(*[0.0] * 11), liquidity_least=5e4))
    late = replace(material, first_row=NOW)
    whole, told, cold = (replay(one, rules).decided for one in (material, replace(late, remembered_from=0), late))
    after = whole.judged.rows >= NOW
    for name in ("rows", "columns", "gate", "confidence"):
        np.testing.assert_array_equal(getattr(told.judged, name), getattr(whole.judged, name)[after])
    np.testing.assert_array_equal(told.kept[NOW:], whole.kept[NOW:])
    assert told.kept[-1].tolist() == [True] * 3
    assert cold.kept[-1].tolist() == [True, True, False]  # who was let in before stays, but nobody remembers


def test_what_nobody_looked_at_is_neither_judged_nor_counted_nor_measured_against(grid: Grid) -> None:
    unknown, some = np.full(3, np.nan), np.zeros(3, dtype=bool)
    facts = [(row, AssetFacts(np.array([1e4, 2e4, 9e4]), *[unknown] * 4, some, some)) for row in (0, 500)]
    looked_at = np.ones(grid.close.shape, dtype=bool)
    looked_at[500:, 2] = False
    known = replace(material_of(grid).known, facts=facts, looked_at=looked_at)
    rules = replace(RULES, prefilter=replace(PrefilterRule(*[0.0] * 11), liquidity_percentile=60))
    found = decide(grid, rules, Memory.empty(3), known)
    assert found.kept[499].tolist() == [False, False, True]
    assert found.kept[500].tolist() == [False, True, True]  # measured among those that are there; who is not there stays as he was
    assert not ((found.judged.columns == 2) & (found.judged.rows >= 500)).any()
    assert found.memory.learned.counted.bars == (~np.isnan(grid.close) & looked_at).sum()


def test_what_triggers_have_in_common_is_learned_the_same_in_pieces() -> None:
    grid = moody(400, 2)
    whole = decide(grid, RULES, Memory.empty(2), first_row=100)
    first = decide(grid.rows(slice(0, 250)), RULES, Memory.empty(2), first_row=100)
    then = decide(grid, RULES, replace(Memory.empty(2), learned=Learned.restored(first.memory.learned.stored())), first_row=250)
    np.testing.assert_array_equal(then.memory.learned.counted.together, whole.memory.learned.counted.together)
    assert then.memory.learned.counted.bars == whole.memory.learned.counted.bars == 600


def test_what_was_counted_comes_into_force_with_the_next_day() -> None:
    found = decide(moody(200, 2), RULES, Memory.empty(2)).memory.learned
    assert found.in_force.bars == 0
    assert found.on(found.day, RULES.alert) is found
    assert found.on(found.day + 1, RULES.alert).in_force.bars == found.counted.bars


def test_a_key_is_one_token_at_one_minute() -> None:
    assert len(set(signal_key(np.array([60, 60, 120]), np.array([1, 2, 1])).tolist())) == 3


def test_the_ledger_follows_what_a_gate_kept_out(grid: Grid) -> None:
    found = replay(material_of(grid), RULES)
    signals = found.decided.signals
    barred = replace(signals, refused=np.where(np.arange(len(signals)) % 2 == 0, "low_atr", ""))
    tape = found.decided.tape(grid, np.full(grid.close.shape, 2e7))
    shadows = shadow(tape, barred, RULES.broker)
    accounts = reasons_of(barred, np.zeros(0, dtype=np.int64), np.zeros(0, dtype="<U8"), np.zeros(0, dtype=np.int64))
    entry = next(one for one in ledger(shadows, accounts) if one.reason == "gate: low_atr")
    mine = np.isin(shadows.signal, np.flatnonzero(barred.refused != "")) & shadows.over
    assert entry.blocked == len(range(0, len(signals), 2))
    assert entry.followed == mine.sum() > 0
    assert entry.saved == pytest.approx(-shadows.result[mine].sum())


def test_a_shadow_is_the_trade_that_would_have_been(grid: Grid) -> None:
    broker = replace(RULES.broker, compound=False, most_open=3)
    found = replay(material_of(grid), replace(RULES, broker=broker))
    assert len(found.trades) > 3
    place = {int(signal): number for number, signal in enumerate(found.shadows.signal)}
    for number, signal in enumerate(found.trades.signal):
        assert found.trades.result[number] == pytest.approx(found.shadows.result[place[int(signal)]], nan_ok=True)


def test_the_hash_is_of_the_data_not_of_its_order(grid: Grid) -> None:
    material = material_of(grid)
    order = np.array([2, 0, 1])
    names = tuple(material.names[place] for place in order)
    turned = replace(material, grid=grid.columns(order), names=names, addresses=names)
    assert data_hash(turned) == data_hash(material)
    other = replace(material, grid=replace(grid, close=np.where(np.arange(1200)[:, None] == 7, 2.0, grid.close)))
    assert data_hash(other) != data_hash(material)


def test_confidence_is_a_probability_from_the_day_on_that_enough_trades_were_over() -> None:
    grid = moody(1620, 2)
    over = np.arange(BEGIN + 3600, BEGIN + 80_000, 600)
    outcomes = Outcomes(over, np.linspace(0.0, 1.0, len(over)), np.arange(len(over)) % 2 == 0)
    material = replace(material_of(grid, first_row=1200), outcomes=outcomes)
    judged = replay(material, RULES).decided.judged
    later = judged.end > BEGIN + DAY_SEC
    assert 0 < later.sum() < len(judged)
    np.testing.assert_array_equal(judged.confidence_is_probability, later)
    alone = replay(material_of(grid, first_row=1200), RULES).decided.judged
    np.testing.assert_array_equal(judged.confidence[~later], alone.confidence[~later])
    assert data_hash(material) != data_hash(material_of(grid, first_row=1200))


def test_what_counts_for_the_newest_row_is_the_last_calibration() -> None:
    known = Calibration((0.5,), (0.4,), (0.3,), (0.5,), 100, 0.4)
    assert Known(calibrations=[(0, None), (7, known)]).calibration is known
    assert Known().calibration is None


def test_another_filter_is_other_data(grid: Grid) -> None:
    unknown, some = np.full(3, np.nan), np.zeros(3, dtype=bool)
    facts = AssetFacts(np.full(3, 5e4), unknown, unknown, unknown, unknown, some, some)
    material = material_of(grid)
    hashes = {
        data_hash(replace(material, known=replace(material.known, facts=told)))
        for told in ([], [(0, facts)], [(1, facts)], [(0, replace(facts, liquidity=unknown))])
    }
    assert len(hashes) == 4


def test_what_is_stored_holds_no_number_that_json_has_not(grid: Grid) -> None:
    material = material_of(joined(grid.rows(slice(0, 600)), grid.rows(slice(600, 1200))), first_row=500)
    stored = result_of(material, RULES, {"a": float("nan")}, 3, replay(material, RULES)).stored()
    assert stored["settings"] == {"a": None}
    assert stored["bars"] == int((~np.isnan(grid.close[500:])).sum())
    assert stored["summary"]["trades"] + stored["still_open"] + sum(stored["skipped"].values()) == stored["signals"]


def test_a_market_in_which_nothing_was_seen_comes_to_nothing() -> None:
    empty = moody(100, 2, gaps=1.1)
    found = replay(material_of(empty), RULES)
    assert len(found.trades) == len(found.decided.judged) == 0
    assert result_of(material_of(empty), RULES, {}, None, found).equity == RULES.broker.capital_usd
