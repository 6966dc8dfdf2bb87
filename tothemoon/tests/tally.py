"""A pytest plugin for ./run test: writes down which tests ran and which did not, and leaves out what another run does already.

TALLY_FILE    where the report goes (JSON)
TALLY_WITHOUT a marker whose tests are left out of this run ("browser")
TALLY_ONLY    "database": only tests that ask the database, because another run has had all the others; "arithmetic": only the others
TALLY_CLOCK   "without" or "only" those marked `measured`: they hold a ratio against the clock, so nothing else may run beside them
"""

import json
import os
from collections.abc import Iterable
from itertools import tee
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

BROWSER = "_in_a_browser.py"
# Most of their time these wait: for a socket, a process, a clock. Half of the workers begin with them, while the others compute.
WAITING = ("test_scenario_judge.py", "test_key_canary.py", "test_soak_stages.py", "test_soak.py", "test_run_listener.py", "test_demo.py")
WAITING += ("test_end_to_end.py", "test_attacked_through_nginx.py", "test_listening_in_trouble.py", "test_simulated_pumpportal.py")
WAITING += ("test_listening.py", "test_simulate_market.py", "test_nginx.py", "test_linked.py", "test_bench.py", "test_fuzz.py")
# And these compute longest: begun last, one of them would keep everybody waiting.
LONGEST = ("test_accessible_in_a_browser.py", "test_hostile_texts.py", BROWSER, "test_attacked_routes.py", "test_training.py")
LONGEST += ("trading/tests/test_run.py", "test_admin_settings.py", "tothemoon/tests/test_admin.py", "trading/tests/test_backtest.py")
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
    """What waits first, then what computes long, then all others as they stand; what keeps together stays so."""
    scopes: dict[str, list[pytest.Item]] = {}
    for item in items:
        scopes.setdefault(scope_of(item.nodeid), []).append(item)
    return [item for scope in sorted(scopes, key=_turn) for item in scopes[scope]]


def _turn(scope: str) -> int:
    path = scope.partition("::")[0]
    return next((turn for turn, name in enumerate((*WAITING, *LONGEST)) if path.endswith(name)), len(WAITING) + len(LONGEST))


def waits(scope: str) -> bool:
    return _turn(scope) < len(WAITING)


def next_of(scopes: Iterable[str], computing: bool) -> str:
    """What a worker does next, of scopes in turn: one that computes takes what waits only where nothing else is left."""
    here, there = tee(scopes)
    first = next(here)
    return next((scope for scope in there if not waits(scope)), first) if computing and waits(first) else first


def scope_of(nodeid: str) -> str:
    path = nodeid.partition("::")[0]
    return path if path.endswith(TOGETHER) else nodeid


class OneByOne(LoadScopeScheduling):
    """A worker gets the next test when it has ended one; those of a file that sets up much stay together. Every second worker begins with
    tests that wait, the others with tests that compute: so the processors have something to do until the end."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the turn is ours: the most tests are not the longest

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        chosen = next_of(self.workqueue, computing=self.nodes.index(node) % 2 == 1)
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)


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
