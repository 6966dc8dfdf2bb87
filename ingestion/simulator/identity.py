"""Addresses, signatures and names that look like the real ones, made from a random generator."""

import numpy as np

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LETTERS = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)

WRAPPED_SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
USD1 = "USD1ttGY1N17NEEHLmELoaybftRBUSErhqYiQzvEmuB"
QUOTES = {
    "SOL": (WRAPPED_SOL, "Wrapped SOL", 142.0),
    "USDC": (USDC, "USD Coin", 1.0),
    "USD1": (USD1, "World Liberty Financial USD", 1.0),
}

_FIRST = "Moon Pepe Doge Cat Frog Based Giga Tiny Chad Wojak Turbo Quantum Salt Grandma Bonsai Laser Sad Holy Banana Useless".split()  # noqa: SIM905
_SECOND = "Inu Coin Fish Rocket Wif Hat Pup Dragon Bull Bear Whale Otter Goose Taxi Mode Season Machine Index Trench Potato".split()  # noqa: SIM905
# Names are whatever somebody typed: other scripts, emoji, markup, right-to-left marks, nothing at all.
_ODD = (
    ("Дядя Фёдор", "ДЯДЯ"),
    ("柴犬火箭", "柴犬"),
    ("🚀🚀🚀", "🚀"),
    ("<b>BOLD & FREE</b>", "<B>"),
    ("\u202eNOOM", "MOON\u202c"),
    ("'; DROP TABLE tokens; --", "BOBBY"),
    ("a" * 64, "LONGESTTICKER"),
    ("=1+1", "=SUM"),
    ("قمر", "قمر"),
    ("", ""),
)


def _letters(random: np.random.Generator, count: int, length: int) -> list[str]:
    drawn = _LETTERS[random.integers(0, 58, count * length)].tobytes().decode()
    return [drawn[start : start + length] for start in range(0, count * length, length)]


def _leading(random: np.random.Generator, count: int, below: int) -> str:
    """First letters small enough that the number they begin fits into its bytes."""
    return _LETTERS[random.integers(1, below, count)].tobytes().decode()


def mints(random: np.random.Generator, count: int, endings: list[str]) -> list[str]:
    """One address of 32 bytes for each ending."""
    leading = _leading(random, count, 15)
    bodies = _letters(random, count, 43)
    return [first + body[: 43 - len(ending)] + ending for first, body, ending in zip(leading, bodies, endings, strict=True)]


def signatures(random: np.random.Generator, count: int) -> list[str]:
    """Transaction signatures: 64 bytes, 88 letters."""
    leading = _leading(random, count, 4)
    return [first + body for first, body in zip(leading, _letters(random, count, 87), strict=True)]


def names(random: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """(name, symbol) pairs; about one in fifty is odd, and pairs repeat, as they do in life."""
    firsts, seconds = random.integers(0, len(_FIRST), count), random.integers(0, len(_SECOND), count)
    odd = random.random(count) < 0.02
    picks = random.integers(0, len(_ODD), count)
    made = []
    for first, second, is_odd, pick in zip(firsts, seconds, odd, picks, strict=True):
        name = f"{_FIRST[first]} {_SECOND[second]}"
        made.append(_ODD[pick] if is_odd else (name, (_FIRST[first][:3] + _SECOND[second][:3]).upper()))
    return made
