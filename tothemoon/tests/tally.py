"""A pytest plugin for ./run test: writes down which tests ran and which did not, and leaves out what another run does already.

TALLY_FILE    where the report goes (JSON)
TALLY_WITHOUT a marker whose tests are left out of this run ("browser")
TALLY_ONLY    "database": only tests that ask the database, because another run has had all the others; "arithmetic": only the others
TALLY_CLOCK   "without" or "only" those marked `measured`: they hold a ratio against the clock, so nothing else may run beside them
"""

import json
import os
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

BROWSER = "_in_a_browser.py"
LONGEST = ("test_soak.py", "test_soak_stages.py", "test_key_canary.py", "test_end_to_end.py", "test_demo.py")
# What these set up once is the long part of them: a market with its workers, a browser, a web server, a model that is trained. Each worker
# that had a test of such a file would do it again.
TOGETHER = ("test_end_to_end.py", "test_key_canary.py", "_nginx.py", BROWSER)
TOGETHER += ("test_training.py", "test_verdict.py", "test_features.py", "test_bench_features.py", "test_when_things_go_wrong.py")


def asks_the_database(item: pytest.Item) -> bool:
    """Through Django (a marker or a fixture says so), or through a database of its own of the kind that this run is about."""
    fixtures = set(getattr(item, "fixturenames", ()))
    marked = any(item.get_closest_marker(name) for name in ("django_db", "own_database", "postgres"))
    return marked or bool(fixtures & {"db", "transactional_db", "live_server", "admin_user", "admin_client"})


def _left_out(item: pytest.Item) -> bool:
    without = os.environ.get("TALLY_WITHOUT")
    if without and item.get_closest_marker(without):
        return True
    measured = bool(item.get_closest_marker("measured"))
    if os.environ.get("TALLY_CLOCK") == ("without" if measured else "only"):
        return True
    only = os.environ.get("TALLY_ONLY")
    return bool(only) and asks_the_database(item) != (only == "database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = {item for item in items if _left_out(item)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = in_turn([item for item in items if item not in left_out])


def in_turn(items: list[pytest.Item]) -> list[pytest.Item]:
    """The long ones first, so that all workers end together: in turn what waits for processes, and a file that keeps a browser busy."""
    scopes: dict[str, list[pytest.Item]] = {}
    for item in items:
        scopes.setdefault(scope_of(item.nodeid), []).append(item)
    waiting = [scope for scope, (first, *_) in scopes.items() if first.get_closest_marker("slow")]
    waiting.sort(key=lambda scope: not scope.partition("::")[0].endswith(LONGEST))
    busy = [scope for scope in scopes if scope.endswith(BROWSER)]
    long = [scope for pair in zip_longest(waiting, busy) for scope in pair if scope is not None]
    return [item for scope in dict.fromkeys([*long, *scopes]) for item in scopes[scope]]


def scope_of(nodeid: str) -> str:
    path = nodeid.partition("::")[0]
    return path if path.endswith(TOGETHER) else nodeid


class OneByOne(LoadScopeScheduling):
    """A worker gets the next test when it has ended one; those of a file that sets up much stay together."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneByOne:
    return OneByOne(config, log)


def _reason(report: pytest.TestReport) -> str:
    """Skips carry (file, line, reason)."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)


class Tally:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.ran: dict[str, float] = {}
        self.failed: set[str] = set()
        self.skipped: dict[str, str] = {}
        self.browser: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid
        if report.failed:
            self.failed.add(name)
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped[name] = _reason(report)
        else:
            self.ran[name] = self.ran.get(name, 0.0) + report.duration
        if "browser" in report.keywords:
            self.browser.add(name)

    def pytest_sessionfinish(self) -> None:
        ran = {name: seconds for name, seconds in self.ran.items() if name not in self.skipped}
        names = {name: sorted(getattr(self, name)) for name in ("failed", "browser")}
        self.path.write_text(json.dumps({"ran": ran, "skipped": self.skipped, **names}))


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get("TALLY_FILE")
    if path and "PYTEST_XDIST_WORKER" not in os.environ:  # the workers report to the one that started them
        config.pluginmanager.register(Tally(Path(path)), "tally")
