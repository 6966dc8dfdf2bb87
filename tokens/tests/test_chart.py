from tokens import chart


def test_a_stretch_without_snapshots_is_an_outage():
    assert chart.silent_stretches([0, 30, 60, 600, 630], 640) == [(60, 600)]


def test_a_late_poll_is_no_outage():
    assert chart.silent_stretches([0, 30, 60, 140, 170], 200) == []


def test_what_comes_seldom_is_judged_by_how_seldom_it_comes():
    assert chart.silent_stretches([0, 300, 600, 900, 1200], 1800) == []


def test_silence_until_now_is_an_outage_too():
    assert chart.silent_stretches([0, 30, 60], 1000) == [(60, 1000)]


def test_nothing_at_all_has_no_outages():
    assert chart.silent_stretches([], 1000) == []
    assert chart.silent_stretches([5], 10) == []


def test_a_line_is_interrupted_where_nothing_came_in():
    columns = chart.interrupted([0, 30, 600], {"price": [1.0, 2.0, 3.0]}, [(30, 600)])
    assert columns == {"ts": [0, 30, 31, 600], "price": [1.0, 2.0, None, 3.0]}
