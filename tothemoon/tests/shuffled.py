"""A pytest plugin for ./run soak --random-orders: every test stands at a place drawn by ORDER_SEED, far from those of its file."""

import os
import random

import pytest


def seed() -> int:
    return int(os.environ["ORDER_SEED"])


def pytest_report_header() -> str:
    return f"in an order drawn by ORDER_SEED={seed()}"


@pytest.hookimpl(trylast=True)  # after pytest-django, which puts the tests that really commit behind the others
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    random.Random(seed()).shuffle(items)
