"""What the stages remember from one part of a history to the next, and what a back-test says of the facts it was given."""

from dataclasses import replace

import numpy as np
import pytest

from tokens.bar_grid import Grid
from trading.backtest import Material, data_hash, replay, result_of
from trading.pipeline import Learned, Memory, StageRules, decide
from trading.prefilter import AssetFacts
from trading.tests.moods import EAGER, material_of, moody

RULES = StageRules.from_settings(EAGER)
NAN = float("nan")
IN_POOLS = np.array([False, False, True])


@pytest.fixture(scope="module")
def grid() -> Grid:
    return moody(100, 3)


def told_twice(grid: Grid, **known: object) -> Material:
    """Two symbols of an exchange and a token of a pool; of the first symbol the open interest is known from row 40 on."""
    unknown, figure = np.full(3, NAN), np.full(3, 5e6)
    facts = [
        (row, AssetFacts(figure, unknown, unknown, unknown, np.array([first, 5.0, NAN]), IN_POOLS, ~IN_POOLS))
        for row, first in ((0, NAN), (40, 3.0))
    ]
    material = material_of(grid)
    return replace(material, known=replace(material.known, facts=facts, **known))


@pytest.mark.parametrize(("first_row", "share"), [(0, (60 + 100) / 200), (20, (60 + 80) / 160), (50, 1.0)])
def test_the_open_interest_is_known_for_a_share_of_the_bars_of_the_exchange(grid: Grid, first_row: int, share: float) -> None:
    material = replace(told_twice(grid), first_row=first_row)
    assert result_of(material, RULES, {}, None, replay(material, RULES)).interest_known == share


def test_without_facts_or_without_an_exchange_nothing_is_said_of_the_open_interest(grid: Grid) -> None:
    pools = told_twice(grid)
    facts = [(row, replace(facts, in_pools=np.ones(3, dtype=bool))) for row, facts in pools.known.facts]
    for material in (material_of(grid), replace(pools, known=replace(pools.known, facts=facts))):
        assert result_of(material, RULES, {}, None, replay(material, RULES)).interest_known is None


def test_where_a_token_is_traded_and_when_it_was_looked_at_are_part_of_the_data(grid: Grid) -> None:
    some = np.ones(grid.close.shape, dtype=bool)
    some[30:, 1] = False
    known: list[dict[str, object]] = [{}, {"in_pools": IN_POOLS}, {"in_pools": ~IN_POOLS}, {"looked_at": some}, {"looked_at": ~some}]
    assert len({data_hash(told_twice(grid, **told)) for told in known}) == 5


def test_the_order_of_the_tokens_is_no_part_of_the_data(grid: Grid) -> None:
    turned, some = np.array([2, 0, 1]), np.ones(grid.close.shape, dtype=bool)
    some[30:, 1] = False
    material = told_twice(grid, in_pools=IN_POOLS, looked_at=some)
    known = replace(
        material.known,
        addresses=tuple(material.addresses[place] for place in turned),
        facts=[(row, facts.only(turned)) for row, facts in material.known.facts],
        in_pools=IN_POOLS[turned],
        looked_at=some[:, turned],
    )
    other = replace(material, grid=grid.columns(turned), addresses=known.addresses, known=known)
    assert data_hash(other) == data_hash(material)


def test_what_was_learned_is_read_back_as_it_was_stored_and_from_nothing_nothing() -> None:
    learned = decide(moody(400, 2), RULES, Memory.empty(2)).memory.learned
    again = Learned.restored(learned.stored())
    assert again.counted.bars == learned.counted.bars == 800
    assert learned.counted.together.any()
    np.testing.assert_array_equal(again.counted.together, learned.counted.together)
    assert again.stored() == learned.stored()
    assert Learned.restored({}).stored() == Learned.nothing().stored()


def test_where_no_bar_is_new_nothing_is_decided_and_nothing_learned(grid: Grid) -> None:
    before = decide(grid, RULES, Memory.empty(3)).memory
    for bars, first_row in ((grid, len(grid)), (grid.rows(slice(0, 0)), 0)):
        found = decide(bars, RULES, before, first_row=first_row)
        assert found.memory.learned is before.learned
        assert (len(found.judged), len(found.signals), found.alerts.on.any()) == (0, 0, False)
