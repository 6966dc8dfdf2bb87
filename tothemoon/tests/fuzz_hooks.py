"""For schemathesis: what a schema cannot say about two parameters at once."""

from collections.abc import Mapping

import schemathesis

NAMES = ("liquidity", "score", "holders", "age_sec")


@schemathesis.hook
def filter_case(context, case):
    """Crossed bounds are valid one by one and refused together; they have a test of their own."""
    return not (isinstance(case.query, Mapping) and any(crossed(case.query, name) for name in NAMES))


def crossed(query, name):
    try:
        return float(query[f"min_{name}"]) > float(query[f"max_{name}"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
