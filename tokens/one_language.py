"""gettext for what says hundreds of sentences at a stroke: the language is asked for once, not before each of them.

Within `one_language()` the thread keeps to the language it had at the beginning, and every sentence is looked up once for each language.
Anywhere else these are Django's own functions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from django.utils import translation


class _Sentences(dict[str | tuple[str, str], str]):
    """What is said here comes from the code, so there are only so many; a pair is a context with its sentence."""

    def __missing__(self, sentence: str | tuple[str, str]) -> str:
        found = translation.gettext(sentence) if isinstance(sentence, str) else translation.pgettext(*sentence)
        self[sentence] = found
        return found


class _Present(threading.local):
    sentences: _Sentences | None = None


_present = _Present()


@lru_cache(maxsize=16)
def _sentences(language: str | None) -> _Sentences:
    return _Sentences()


@contextmanager
def one_language() -> Iterator[None]:
    """The language of this thread does not change within."""
    before = _present.sentences
    _present.sentences = _sentences(translation.get_language())
    try:
        yield
    finally:
        _present.sentences = before


def gettext(sentence: str) -> str:
    known = _present.sentences
    return translation.gettext(sentence) if known is None else known[sentence]


def pgettext(context: str, sentence: str) -> str:
    known = _present.sentences
    return translation.pgettext(context, sentence) if known is None else known[context, sentence]
