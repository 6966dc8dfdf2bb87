"""As in English: a trader reads $15.2k and 0.5 in every language."""

from tothemoon.formats.en.formats import *  # noqa: F403

DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ","
