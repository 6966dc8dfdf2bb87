"""The translations themselves: complete, of the same form as the English, and compiled."""

import gettext
import re
import subprocess
import sys

import pytest

from tothemoon.tests import catalogues
from tothemoon.tests.catalogues import LANGUAGES, entries

PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]|…|</?\w+|\$|\bUTC\b|#\d*")
both = pytest.mark.parametrize("language", LANGUAGES)


def test_every_text_of_the_pages_is_translated():
    assert list(catalogues.missing()) == []


@both
def test_the_catalogue_holds_nothing_doubtful_and_nothing_that_nobody_says(language):
    known = entries(language)[1:]
    assert not [entry.text for entry in known if entry.fuzzy or not all(entry.said.values())]
    assert {entry.key for entry in known} == catalogues.texts().keys()


@both
def test_what_is_filled_in_and_marked_up_is_the_same_in_every_language(language):
    for entry in entries(language)[1:]:
        wanted = set(PLACES.findall(entry.plural or entry.text))
        for said in entry.said.values():
            assert set(PLACES.findall(said)) == wanted, (entry.text, said)


@both
def test_a_number_has_all_its_forms(language):
    forms = int(re.search(r"nplurals=(\d)", entries(language)[0].said[0])[1])
    assert forms == 3
    assert {len(entry.said) for entry in entries(language) if entry.plural} == {forms}


@both
def test_the_compiled_catalogue_is_the_written_one(language):
    with catalogues.catalogue(language).with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog
    written = {}
    for entry in entries(language):
        key = f"{entry.context}\x04{entry.text}" if entry.context else entry.text
        written |= {(key, form): said for form, said in entry.said.items()} if entry.plural else {key: entry.said[0]}
    assert compiled == written


def test_texts_are_found_wherever_they_stand(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '{% load i18n %}{% translate "One (1)" %}{% translate "Two" context "a pair" as two %}'
        "{% blocktranslate count n=n %}one{% plural %}{{ n }} many{% endblocktranslate %}{% if x %}"
        "{% blocktranslate trimmed %}\n to {{ x }}\n{% endblocktranslate %}{% endif %}"
    )
    assert set(catalogues.texts_of(page)) == {("", "One (1)"), ("a pair", "Two"), ("", "one"), ("", "to %(x)s")}
    program = tmp_path / "program.py"
    program.write_text('from django.utils.translation import gettext as _\nsay = _("a " "b") % 1, pgettext("c", "d"), other("e"), _(f)')
    assert set(catalogues.texts_of(program)) == {("", "a b"), ("c", "d")}


def test_a_text_that_is_new_is_missed(tmp_path, monkeypatch):
    wanted = {**catalogues.texts(), ("", "Never said before"): "templates/new.html"}
    monkeypatch.setattr(catalogues, "texts", lambda: wanted)
    assert [line for line in catalogues.missing() if "Never said" in line] == [
        f"{language}: templates/new.html: 'Never said before' is not translated" for language in LANGUAGES
    ]


def test_the_catalogues_are_read_without_settings_as_the_check_does_it():
    program = "from tothemoon.tests import catalogues; print(sum(1 for _ in catalogues.missing()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=catalogues.HERE, text=True, capture_output=True, env={}, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr
