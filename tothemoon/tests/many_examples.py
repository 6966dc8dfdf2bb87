"""A pytest plugin for ./run soak --examples: the property tests alone, with EXAMPLES of them all together.

Each has the share of them that it has of those it usually tries. The last line says how many examples were really tried: a property that
is told of few things has soon seen them all.
"""

import math
import os
import re
from typing import Any

import hypothesis
import pytest

PASSED = re.compile(r"- (\d+) passing")


def settings_of(item: pytest.Function) -> hypothesis.settings:
    """Where @settings leaves what it says, and Hypothesis' own plugin reads it."""
    found: hypothesis.settings = item.obj._hypothesis_internal_use_settings
    return found


def more(asked: hypothesis.settings, times: float) -> hypothesis.settings:
    return hypothesis.settings(asked, max_examples=max(1, math.ceil(asked.max_examples * times)), deadline=None)


@pytest.hookimpl(trylast=True)  # -k and the tally have left out theirs
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    properties = [item for item in items if isinstance(item, pytest.Function) and hypothesis.is_hypothesis_test(item.obj)]
    chosen = set(properties)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = properties
    usual = sum(settings_of(item).max_examples for item in properties)
    for test in {item.obj: item for item in properties}.values():  # those of one function with several parameters share it
        test.obj._hypothesis_internal_use_settings = more(settings_of(test), int(os.environ["EXAMPLES"]) / usual)


class Count:
    """The one who works counts, and writes it to the report, which goes to the one who tells."""

    def __init__(self) -> None:
        self.examples = 0
        self.tests = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        if call.when == "call":
            tried = sum(map(int, PASSED.findall(getattr(item, "hypothesis_statistics", ""))))
            report.user_properties.append(("examples", tried))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = [tried for name, tried in report.user_properties if name == "examples"]
        if report.when == "call":
            self.tests += len(found)
            self.examples += sum(found)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.write_line(f"{self.examples:,} examples of {self.tests} properties")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Count(), "count of examples")
