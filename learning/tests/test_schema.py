"""The schema says what the vectors hold: its page is made from it, and its version stands for names and figures alike."""

import json
from itertools import groupby
from pathlib import Path

import numpy as np

from learning.features import FEATURES, compute
from learning.schema import HASH, NAMES, SLOTS, VERSION
from learning.schema_page import page
from learning.tests.lively import written

HERE = Path(__file__).resolve().parent
TELL = "raise VERSION in learning/schema.py and write the figures anew: python -m learning.tests.test_schema"


def figures() -> dict[str, list[float | None]]:
    """What each slot says of a market that is written down in formulas: two tokens, six digits."""
    values = compute(written()).values[:2].astype(np.float64)
    return {name: [None if np.isnan(one) else float(f"{one:.6g}") for one in column] for name, column in zip(NAMES, values.T, strict=True)}


def kept() -> dict[str, object]:
    found: dict[str, object] = json.loads((HERE / "features_of_version.json").read_text())
    return found


def test_the_page_is_what_the_schema_says() -> None:
    assert (HERE.parent.parent / "docs" / "features.md").read_text() == page(), "python -m learning.schema_page > docs/features.md"


def test_names_units_and_meanings_are_those_of_the_version() -> None:
    assert (kept()["version"], kept()["hash"]) == (VERSION, HASH), TELL


def test_figures_are_those_of_the_version() -> None:
    before, now = kept()["figures"], figures()
    assert isinstance(before, dict)
    assert list(before) == list(now)
    for name, values in now.items():
        expected, found = (np.array(each, dtype=np.float64) for each in (before[name], values))
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-9, err_msg=f"{name}: {TELL}")


def test_nearly_every_figure_is_known_and_so_compared() -> None:
    known = [name for name, values in figures().items() if None not in values]
    assert len(known) >= 235


def test_a_group_stands_together() -> None:
    groups = [group for group, _ in groupby(SLOTS, key=lambda slot: slot.group)]
    assert len(groups) == len(set(groups)) == 11


def test_a_name_tells_no_lie_about_its_minutes() -> None:
    """A slot named after so many minutes needs at least about so many, and none needs more than the window has."""
    for feature in FEATURES:
        last = feature.slot.name.rpartition("_")[2]
        bars = [need.rows for need in feature.needs if need.rows and need.source.name != "HOURS"]
        if last.endswith("m") and last[:-1].isdigit() and bars:
            assert int(last[:-1]) <= max(bars) + 1, feature.slot.name
        assert max(bars, default=0) <= 96


if __name__ == "__main__":
    text = json.dumps({"version": VERSION, "hash": HASH, "figures": figures()}, indent=0)
    (HERE / "features_of_version.json").write_text(text + "\n")
