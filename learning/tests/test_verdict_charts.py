"""Where the plots of the verdict put their figures."""

import math

from hypothesis import given
from hypothesis import strategies as st

from learning.verdict.blocks import UNKNOWN, Figure
from learning.verdict_charts import BOTTOM, CELL_WIDTH, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Shown, cells, plot

values = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)


@given(st.lists(st.tuples(values, st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=12), st.booleans())
def test_everything_lies_within_the_frame(figures, numbered):
    shown = [Shown("x", Figure(value, value - down, value + up), "", at=value) for value, down, up in figures]
    drawn = plot(shown, str, write_across=str if numbered else None)
    edges = [drawn.zero, *(end for dot in drawn.dots for end in (dot.y, dot.high, dot.low))]
    assert all(TOP - 1e-6 <= edge <= HEIGHT - BOTTOM + 1e-6 for edge in edges)
    assert all(LEFT - 1e-6 <= dot.x <= WIDTH - RIGHT + 1e-6 for dot in drawn.dots)
    assert all(dot.high <= dot.y <= dot.low for dot in drawn.dots)


def test_what_is_higher_stands_higher_and_a_bar_reaches_from_nothing():
    low, high = plot([Shown("a", Figure(-0.1), ""), Shown("b", Figure(0.3), "")], str, bars=True).dots
    assert high.y < low.y
    assert (low.top, high.top + high.tall) == (high.top + high.tall, low.top)
    assert low.high is None


def test_without_any_figure_nothing_is_drawn():
    assert plot([], str) is None
    assert plot([Shown("a", UNKNOWN, "")], str) is None


def test_a_claimed_chance_has_the_line_on_which_it_keeps_its_word():
    drawn = plot([Shown("a", Figure(0.5), "", at=0.2), Shown("b", Figure(0.5), "", at=0.8)], str, slope=True, write_across=str)
    assert drawn.slope.startswith(f"M{drawn.dots[0].x:.1f},")
    assert not math.isnan(drawn.zero)


def test_cells_of_one_table_share_their_scale():
    narrow, wide, unknown = cells([Figure(0.01, 0.0, 0.02), Figure(0.0, -0.2, 0.2), UNKNOWN])
    assert unknown is None
    assert narrow.zero == wide.zero == CELL_WIDTH / 2
    assert round(wide.wide / narrow.wide) == 20
