"""A pytest plugin for ./run mutants: tests whose parameters are texts or bytes get names that a command line can carry.

A mutant is tried with those tests that reach it, by their names. A name that is not found again would look like a test that failed.
"""

from zlib import crc32


def pytest_make_parametrize_id(val: object) -> str | None:
    return f"{crc32(repr(val).encode()):x}" if isinstance(val, str | bytes) else None
