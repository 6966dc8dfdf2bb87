"""The pictures of the README: every page has its own, dark and light, wide and on a phone, and none is too large."""

import re

import pytest

from tothemoon.tests import papers
from tothemoon.tests.screenshots import LARGEST_KB, PAGES, PICTURES, SIZES

NAMES = [f"{page.name}{suffix}-{theme}.webp" for page in PAGES for suffix in SIZES for theme in ("light", "dark")]
SHOWN = re.findall(r'(?:src|srcset)="([^"]+\.webp)"', (papers.HERE / "README.md").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_is_kept_small_and_in_the_repository(name: str) -> None:
    assert papers.in_a_fresh_clone(PICTURES / name)
    assert 5 * 1024 < (PICTURES / name).stat().st_size <= LARGEST_KB * 1024
    assert (PICTURES / name).read_bytes()[8:12] == b"WEBP"


def test_the_readme_shows_every_page_in_the_dark_and_in_the_light() -> None:
    assert {f"docs/pictures/{page.name}-{theme}.webp" for page in PAGES for theme in ("light", "dark")} <= set(SHOWN)


def test_the_readme_shows_no_picture_that_the_command_does_not_take() -> None:
    assert {path.removeprefix("docs/pictures/") for path in SHOWN} <= set(NAMES)


def test_no_picture_is_left_over() -> None:
    assert sorted(path.name for path in PICTURES.iterdir()) == sorted(NAMES)
