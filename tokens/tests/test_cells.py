from types import SimpleNamespace

import pytest
from django.utils import translation

from tokens import cells

SEEN = {
    "tx_count_5m": 330,
    "tx_count_1h": 1885,
    "volume_5m": 15_200.0,
    "volume_1h": 145_920.0,
    "holders": 1204,
    "buys_5m": 180,
    "sells_5m": 150,
    "buys_volume_5m": 8_512.0,
    "sells_volume_5m": 6_688.0,
}


def seen(**changed):
    return SimpleNamespace(**{**SEEN, **changed})


def stored(**changed):
    raws = {"tx_accel": 2.1, "vol_momentum": 1.25, "holder_growth": 0.0402, "orderflow_imbalance": 0.12}
    usual = {name: {"raw": raw, "smoothed": raw, "weight": 0.25, "state": "ok"} for name, raw in raws.items()}
    return {**usual, **changed}


def test_each_metric_is_a_value_and_its_direction():
    written = [(cell.text, cell.change, cell.way > 0) for cell in cells.metric_cells(seen(), stored())]
    assert written == [("330", "+110 %", True), ("$15.2k", "+25 %", True), ("1,204", "+4.1 %", True), ("+$1.82k", "+12 %", True)]


def test_an_unknown_metric_is_a_dash_that_says_why():
    young = {"raw": None, "smoothed": None, "weight": 0.25, "state": "no_history"}
    holders = cells.metric_cells(seen(holders=None), stored(holder_growth=young))[2]
    assert (holders.text, holders.change) == ("–", "–")
    assert "no figure from an hour ago" in holders.why


def test_estimated_flow_counts_heads_and_says_so():
    guessed = {"raw": 0.09, "smoothed": 0.09, "weight": 0.25, "state": "estimated"}
    flow = cells.metric_cells(seen(buys_volume_5m=None), stored(orderflow_imbalance=guessed))[3]
    assert (flow.text, flow.change, flow.state) == ("+30", "+9 %", "estimated")
    assert "Estimated from the counts" in flow.why


@pytest.mark.parametrize("state", ["no_activity", "no_history", "stale", "error", "what_is_this"])
def test_a_state_that_does_not_count_shows_no_direction(state):
    cell = cells.metric_cells(seen(), stored(tx_accel={"raw": None, "weight": 0.25, "state": state}))[0]
    assert (cell.change, cell.way) == ("–", 0.0)
    assert "No direction: " in cell.why


@pytest.mark.parametrize(
    "broken", [None, {}, {"tx_accel": None}, {"tx_accel": "?"}, {"tx_accel": {"raw": "NaN", "state": "ok", "weight": []}}]
)
def test_a_stored_score_of_any_shape_gives_four_cells(broken):
    assert len(cells.metric_cells(seen(), broken)) == 4
    assert cells.why_here(0.5, broken)


def test_a_high_token_is_explained_by_what_lifts_it():
    assert cells.why_here(1.0, stored()) == (
        "high because transactions at 2.10× their hourly pace, volume at 1.25× its pace, "
        "buyers ahead by 12 % and holders +4.1 % in the hour"
    )


def test_a_low_token_is_explained_by_what_holds_it_first():
    slow = {"raw": 0.4, "smoothed": 0.4, "weight": 0.25, "state": "ok"}
    said = cells.why_here(0.3, stored(tx_accel=slow, vol_momentum=slow))
    assert said.startswith("low because transactions at 0.40× their hourly pace and volume at 0.40× its pace, though buyers ahead")


@pytest.mark.parametrize(
    ("age_sec", "said"),
    [
        (32.0, ", but it is 32 s old: its hour has hardly begun, so the pace says little"),
        (1500.0, ", but it is 25 m old: its hour is not full yet, so the pace looks faster than it is"),
        (3599.0, ", but it is 59 m old: its hour is not full yet, so the pace looks faster than it is"),
        (3600.0, " in the hour"),
        (None, " in the hour"),
    ],
)
def test_a_pace_whose_hour_is_not_full_is_never_told_without_saying_so(age_sec, said):
    assert cells.why_here(12.0, stored(), age_sec=age_sec).endswith(said)
    doubts = ["old: its hour" in cell.why for cell in cells.metric_cells(seen(), stored(), age_sec)]
    assert doubts == ([True, True, False, False] if "old" in said else [False] * 4)


def test_of_old_figures_the_hour_had_not_begun_then():
    assert cells.why_here(12.0, stored(), past=True, age_sec=400.0).endswith(
        "it was 6 m old: its hour had hardly begun, so the pace says little"
    )


def test_where_no_pace_is_named_its_hour_is_not_spoken_of():
    unknown = {"raw": None, "weight": 0.25, "state": "no_history"}
    quiet = stored(tx_accel=unknown, vol_momentum=unknown)
    assert "hour has" not in cells.why_here(0.1, quiet, age_sec=32.0)
    assert not any("its hour" in cell.why for cell in cells.metric_cells(seen(), quiet, 32.0))


def test_without_a_score_the_reasons_are_told():
    nothing = {"raw": None, "weight": 0.25, "state": "no_activity"}
    known = dict.fromkeys(cells.METRICS, nothing)
    assert cells.why_here(None, known).startswith("no score: nothing was traded in the hour")
    assert cells.why_here(None, {}) == "not scored yet"


def test_a_token_on_which_nothing_changes_is_steady():
    even = {"raw": 1.0, "weight": 0.25, "state": "ok"}
    still = {"raw": 0.0, "weight": 0.25, "state": "ok"}
    known = {"tx_accel": even, "vol_momentum": even, "holder_growth": still, "orderflow_imbalance": still}
    assert cells.why_here(0.5, known).startswith("steady")
    assert [cell.change for cell in cells.metric_cells(seen(), known)] == ["0 %"] * 4


def test_contradictions_are_told_in_words():
    assert cells.contradictions("dust_price window_5m_over_1h") == "a price that rests on dust, more in 5 minutes than in the hour"
    assert cells.contradictions("") == ""


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            "was high because transactions at 2.10× their hourly pace and holders +4.1 % in the hour, held back by volume at 0.50× its "
            "pace and sellers ahead by ≈ 12 %, but it was 6 m old: its hour had hardly begun, so the pace says little",
        ),
        (
            "uk",
            "оцінка була висока: транзакції — 2.10× темпу години і холдери +4.1 % за годину; стримувало: обсяг — 0.50× темпу "
            "і продавці попереду на ≈ 12 %; проте токену було 6 хв: перша година щойно почалася, тож темп мало про що казав",
        ),
        (
            "ru",
            "оценка была высокой: транзакции — 2.10× темпа часа и холдеры +4.1 % за час; сдерживало: объём — 0.50× темпа "
            "и продавцы впереди на ≈ 12 %; однако токену было 6 мин: первый час только начался, и темп мало о чём говорил",
        ),
    ],
)
def test_why_it_stands_there_is_a_whole_sentence_in_every_language(language, said):
    slow = {"raw": 0.5, "smoothed": 0.5, "weight": 0.25, "state": "ok"}
    sold = {"raw": -0.12, "smoothed": -0.12, "weight": 0.25, "state": "estimated"}
    with translation.override(language):
        assert cells.why_here(1.0, stored(vol_momentum=slow, orderflow_imbalance=sold), past=True, age_sec=400.0) == said
