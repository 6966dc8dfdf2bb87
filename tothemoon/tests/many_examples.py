"""A pytest plugin for ./run soak --examples: the property tests alone, each with EXAMPLES where it usually has 50.

One that asks for fewer, because each of its examples is long, keeps its share. The last line says how many examples were really tried.
"""

import os
import re
from typing import Any

import hypothesis
import pytest

USUAL = 50
PASSED = re.compile(r"- (\d+) passing")


def more(asked: hypothesis.settings, examples: int) -> hypothesis.settings:
    return hypothesis.settings(asked, max_examples=max(1, asked.max_examples * examples // USUAL), deadline=None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    properties = {item: item.obj for item in items if isinstance(item, pytest.Function) and hypothesis.is_hypothesis_test(item.obj)}
    config.hook.pytest_deselected(items=[item for item in items if item not in properties])
    items[:] = properties
    for test in set(properties.values()):  # those of one function with several parameters share it
        # Where @settings leaves what it says, and Hypothesis' own plugin reads it.
        test._hypothesis_internal_use_settings = more(test._hypothesis_internal_use_settings, int(os.environ["EXAMPLES"]))


class Count:
    def __init__(self) -> None:
        self.examples = 0
        self.tests = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        if call.when == "call":
            self.tests += 1
            self.examples += sum(map(int, PASSED.findall(getattr(item, "hypothesis_statistics", ""))))
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.write_line(f"{self.examples:,} examples of {self.tests} properties")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Count(), "count of examples")
