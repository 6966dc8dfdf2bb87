"""When an alert is due and when it is held back, against the same rules told one value at a time."""

import math
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.alert_manner import Level, Manner, QuietHours, zone_named
from scoring.alert_state import (
    CAPPED,
    COOLING,
    GOES_OUT,
    OFF,
    ON,
    QUIET,
    UNSEEN,
    held_back,
    step,
    takes,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
VALUES = st.one_of(st.just(math.nan), st.floats(-5, 5, allow_nan=False).map(lambda value: round(value, 1)))
LEVELS = st.builds(Level, st.sampled_from([-1.0, 0.0, 2.0]), st.sampled_from([0.0, 0.5, 3.0]), st.booleans())
NAN = math.nan


def states(level, values, allowed=True, silent=False, known=UNSEEN):
    """One token through many values: its states, and at which places it alerts."""
    code, told = np.array([known], dtype=np.int8), []
    course = []
    for place, value in enumerate(values):
        code, fires = step(level, code, np.array([value]), np.array([allowed]), np.array([silent]))
        course.append(int(code[0]))
        told += [place] if fires[0] else []
    return course, told


def one_by_one(level, values):
    """The same in plain words, one token, one value after the other."""
    told, on = [], False
    for place, value in enumerate(values):
        if math.isnan(value):
            continue
        sign = 1 if level.rising else -1
        if not on and sign * value >= sign * level.at:
            told.append(place)
            on = True
        elif on and sign * value < sign * level.at - level.band:
            on = False
    return told


def test_only_the_step_over_the_level_is_an_alert():
    assert states(Level(2), [1, 2, 3, 2.5, 1.9, 2]) == ([OFF, ON, ON, ON, OFF, ON], [1, 5])


def test_a_value_that_dances_on_the_level_within_the_band_is_one_alert():
    assert states(Level(2, band=0.5), [1, 2, 1.9, 2, 1.6, 2.1, 1.4, 2])[1] == [1, 7]


def test_the_unknown_changes_nothing():
    assert states(Level(2), [1, 3, NAN, NAN, 3, NAN, 1, NAN, 3])[1] == [1, 8]


def test_downwards_it_is_the_mirror_image():
    assert states(Level(1, band=0.5, rising=False), [2, 1, 1.4, 1, 1.6, 0.5])[1] == [1, 5]


def test_who_is_born_beyond_the_level_is_told_unless_the_rule_is_learning():
    assert states(Level(2), [3, 3])[1] == [0]
    assert states(Level(2), [3, 3], silent=True) == ([ON, ON], [])


def test_a_limit_that_is_not_met_bars_the_way_in_and_not_the_way_out():
    level = Level(2)
    code, fires = step(level, np.array([OFF, ON], dtype=np.int8), np.array([3.0, 3.0]), np.array([False, False]), np.array([False, False]))
    assert (code.tolist(), fires.tolist()) == ([OFF, ON], [False, False])
    assert states(level, [1], allowed=False, known=ON)[0] == [OFF]


@given(LEVELS, st.lists(VALUES, max_size=30))
def test_all_tokens_at_once_are_the_same_as_one_value_at_a_time(level, values):
    assert states(level, values)[1] == one_by_one(level, values)


@given(LEVELS, st.lists(VALUES, min_size=1, max_size=30))
def test_between_two_alerts_the_value_was_back_beyond_the_band(level, values):
    told = states(level, values)[1]
    sign = 1 if level.rising else -1
    for first, second in pairwise(told):
        assert any(sign * value < sign * level.at - level.band for value in values[first:second])


@given(LEVELS, st.lists(VALUES, max_size=30), st.integers(0, 30))
def test_a_restart_anywhere_gives_the_same_alerts(level, values, cut):
    before, told = states(level, values[:cut])
    known = before[-1] if before else UNSEEN
    told_later = [cut + place for place in states(level, values[cut:], known=known)[1]]
    assert told + told_later == states(level, values)[1]


# What is held back


def at(minutes):
    return NOON + 60 * minutes


def test_a_cool_down_counts_from_what_went_out_for_each_token():
    manner = Manner(cooldown_sec=600)
    due = [(at(0), 1), (at(5), 1), (at(5), 2), (at(10), 1)]
    assert held_back(due, manner) == [GOES_OUT, COOLING, GOES_OUT, GOES_OUT]
    assert held_back([(at(5), 1)], manner, {1: at(0)}) == [COOLING]


def test_what_was_held_back_starts_no_cool_down():
    quiet = QuietHours(time(12, 0), time(12, 10))
    assert held_back([(at(5), 1), (at(11), 1)], Manner(3600, quiet=quiet)) == [QUIET, GOES_OUT]


def test_no_more_than_so_many_go_out_in_any_hour():
    due = [(at(minute), minute) for minute in range(0, 100, 10)]
    verdicts = held_back(due, Manner(an_hour=3))
    assert verdicts == [GOES_OUT] * 3 + [CAPPED] * 3 + [GOES_OUT] * 3 + [CAPPED]
    assert held_back([(at(0), 1)], Manner(an_hour=2), sent=[at(-59), at(-10)]) == [CAPPED]
    assert held_back([(at(0), 1)], Manner(an_hour=2), sent=[at(-60), at(-10)]) == [GOES_OUT]


def test_a_clock_that_was_set_back_mutes_nobody():
    assert held_back([(at(0), 1)], Manner(600), {1: at(60)}) == [GOES_OUT]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 4)), max_size=40).map(sorted),
    st.integers(0, 60),
    st.integers(1, 5),
    st.integers(0, 40),
)
def test_a_restart_between_two_alerts_changes_no_verdict(due, cooldown, an_hour, cut):
    due = [(at(minute), token) for minute, token in due]
    manner = Manner(cooldown * 60.0, an_hour)
    whole = held_back(due, manner)
    gone = [(moment, token) for (moment, token), verdict in zip(due[:cut], whole[:cut], strict=True) if not verdict]
    rest = held_back(due[cut:], manner, {token: moment for moment, token in gone}, [moment for moment, _ in gone])
    assert whole == whole[:cut] + rest
    sent = [moment for (moment, _), verdict in zip(due, whole, strict=True) if not verdict]
    assert all(sum(moment - 3600 < other <= moment for other in sent) <= an_hour for moment in sent)


@pytest.mark.parametrize(
    ("begin", "end", "inside", "outside"),
    [
        ("22:00", "07:00", ["22:00", "23:59", "00:00", "06:59"], ["21:59", "07:00", "12:00"]),
        ("13:00", "14:00", ["13:30"], ["14:00", "01:00"]),
    ],
)
def test_quiet_hours_may_go_over_midnight(begin, end, inside, outside):
    quiet = QuietHours(time.fromisoformat(begin), time.fromisoformat(end))
    moments = {clock: datetime.combine(datetime(2026, 11, 21), time.fromisoformat(clock), UTC).timestamp() for clock in inside + outside}
    assert [clock for clock, moment in moments.items() if quiet.holds(moment)] == inside


def test_quiet_hours_are_those_of_their_time_zone_through_the_change_of_the_clocks():
    quiet = QuietHours(time(22), time(7), ZoneInfo("Europe/Kyiv"))
    in_winter, in_summer = datetime(2026, 1, 15, 4, 30, tzinfo=UTC), datetime(2026, 7, 15, 4, 30, tzinfo=UTC)
    assert quiet.holds(in_winter.timestamp())  # 06:30 there
    assert not quiet.holds(in_summer.timestamp())  # 07:30 there
    assert quiet.holds((in_summer - timedelta(hours=1)).timestamp())


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe", "\x00", "UTC+2"])
def test_a_zone_that_is_none(name):
    assert zone_named(name) is None


def test_a_side_of_a_change_left_blank_is_any():
    assert [takes(wanted, "Active") for wanted in ("", "Active", "Initial")] == [True, True, False]
