"""Sentences come out as Django says them, in the language a thread had when it began to speak."""

import threading

import pytest
from django.utils import translation

from tokens.one_language import gettext, one_language, pgettext


@pytest.mark.parametrize("language", ["en", "uk", "ru", None])
def test_within_one_language_the_sentences_are_those_of_django(language):
    with translation.override(language), one_language():
        assert gettext("not scored yet") == translation.gettext("not scored yet")
        assert pgettext("unit of time", "h") == translation.pgettext("unit of time", "h")
        assert gettext("what nobody has translated") == "what nobody has translated"


def test_each_language_keeps_its_own_sentences():
    said = []
    for language in ("uk", "en", "uk"):
        with translation.override(language), one_language():
            said.append(gettext("not scored yet"))
    assert said[0] == said[2] != said[1] == "not scored yet"


def test_the_outer_language_is_back_when_the_inner_one_ends():
    with translation.override("en"), one_language():
        with translation.override("uk"), one_language():
            assert pgettext("unit of time", "h") == "год"
        assert pgettext("unit of time", "h") == "h"
    with translation.override("uk"):
        assert pgettext("unit of time", "h") == "год"


def test_a_thread_does_not_speak_for_another():
    said = []

    def speak():
        with translation.override("uk"):
            said.append(gettext("not scored yet"))

    with translation.override("en"), one_language():
        other = threading.Thread(target=speak)
        other.start()
        other.join()
        assert said != [gettext("not scored yet")]
