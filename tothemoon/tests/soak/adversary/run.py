"""Plays scenarios: each lane on a database and with workers of its own, several lanes at once, because most of a scenario is waiting."""

import contextlib
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tothemoon.tests.migrated import migrate
from tothemoon.tests.pgtemp import QUICK as QUICK_POSTGRES
from tothemoon.tests.pgtemp import TemporaryPostgres
from tothemoon.tests.soak.adversary import (
    account,
    answers,
    answers_long,
    exchange,
    feed_frames,
    feed_losses,
    feed_places,
    feed_refusals,
    invariants,
    processes,
    starts,
    storage,
)
from tothemoon.tests.soak.adversary.catalogue import EVERY, Scenario
from tothemoon.tests.soak.adversary.stage import Outcome, Pace, Setting, Stage
from tothemoon.tests.soak.adversary.window import copy_in, copy_of
from tothemoon.tests.soak.trial import quick_folder

TEMPLATE = "template_stage"
# Their scenarios register themselves; those of a lane play in the order of this list.
MODULES = (feed_losses, feed_frames, feed_refusals, feed_places, answers, answers_long, account, exchange, processes, storage, starts)
# The longest, so that all end together; and the one that needs only a moment takes the first free place.
FIRST = (storage.LANE, processes.LANE, feed_refusals.QUICK_LANE, account.LANE, answers_long.SLOW_LANE, answers.LANE, feed_places.LANE)
APART = (storage.LANE,)  # stops the server under everybody: it has one of its own
LANES = {lane.LANE: lane.SETTING for lane in MODULES if hasattr(lane, "SETTING")}
LANES |= {feed_losses.SILENCES_LANE: feed_losses.SILENCES_SETTING, feed_refusals.BANS_LANE: feed_refusals.BANS_SETTING}
LANES |= {feed_refusals.QUICK_LANE: feed_refusals.QUICK_SETTING}
LANES |= dict.fromkeys((answers_long.PAUSES_LANE, answers_long.SLOW_LANE), answers_long.SETTING)


@dataclass
class Report:
    """What became of all of them. `lanes` are the verdicts at the end of each lane, when everything is still."""

    database: str
    seed: int
    played: list[Outcome] = field(default_factory=list)
    lanes: list[Outcome] = field(default_factory=list)
    took_sec: float = 0.0

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in [*self.played, *self.lanes] if outcome.faults]


class Templates:
    """A migrated database to copy, of either kind; the cluster that the lanes share."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.cluster: TemporaryPostgres | None = None

    def prepare(self) -> None:
        url = f"sqlite:///{self.folder / 'template.sqlite3'}"
        if self.kind == "postgres":
            self.cluster = new_cluster()
            with psycopg.connect(f"dbname=postgres host={self.cluster.folder} user=ttm", autocommit=True) as server:
                server.execute(f'CREATE DATABASE "{TEMPLATE}"'.encode())
            url = self.cluster.url(TEMPLATE)
        migrate(url)

    def copy(self, name: str, folder: Path) -> str:
        if self.cluster is None:
            return copy_of(self.folder / "template.sqlite3", folder)
        return copy_in(self.cluster, TEMPLATE, name)

    def remove(self) -> None:
        if self.cluster is not None:
            self.cluster.remove()


def new_cluster() -> TemporaryPostgres:
    """A commit is a commit here, as in production."""
    return TemporaryPostgres(QUICK_POSTGRES.replace("synchronous_commit=off", "synchronous_commit=on") + " -c max_connections=200")


@contextlib.contextmanager
def templates(kind: str) -> Iterator[Templates]:
    with tempfile.TemporaryDirectory(prefix="ttm-scenarios-", dir=quick_folder()) as name:
        made = Templates(kind, Path(name))
        try:
            made.prepare()
            yield made
        finally:
            made.remove()


def chosen(only: str = "", lanes: Sequence[str] = (), database: str = "") -> list[Scenario]:
    """The scenarios of that name, row or lane."""
    asked = only.lower()
    return [
        each
        for each in EVERY
        if (not asked or asked in (each.name, each.lane) or asked.upper() in each.rows)
        and (not lanes or each.lane in lanes)
        and each.only_on in ("", database)
    ]


def play(
    made: Templates, scenarios: Sequence[Scenario], seed: int, pace: Pace, tell: Callable[[Outcome], None] = lambda outcome: None
) -> Report:
    """All of them, lane by lane, several lanes at once."""
    began = time.monotonic()
    report = Report(made.kind, seed)
    lanes = sorted(dict.fromkeys(scenario.lane for scenario in scenarios), key=lambda lane: lane not in FIRST)
    told = threading.Lock()

    def one(lane: str) -> None:
        for outcome in play_lane(made, lane, [scenario for scenario in scenarios if scenario.lane == lane], seed, pace):
            with told:
                (report.played if outcome.rows else report.lanes).append(outcome)
                tell(outcome)

    with ThreadPoolExecutor(pace.at_once, thread_name_prefix="lane") as threads:
        for done in [threads.submit(one, lane) for lane in lanes]:
            done.result()
    report.took_sec = time.monotonic() - began
    return report


def play_lane(made: Templates, lane: str, scenarios: Sequence[Scenario], seed: int, pace: Pace) -> Iterator[Outcome]:
    """The scenarios of one lane in their order, on one stage; last the verdict over the whole lane."""
    setting = LANES[lane]
    with tempfile.TemporaryDirectory(prefix=f"ttm-{lane}-", dir=quick_folder()) as name, contextlib.ExitStack() as ends:
        folder = Path(name)
        if lane in APART and made.cluster is not None:
            made = ends.enter_context(templates(made.kind))
        url = made.copy(f"{lane}_{seed}", folder)
        with Stage(lane, url, folder, seed, pace, setting.changes) as stage:
            stage.made = made
            yield from _one_after_the_other(stage, setting, scenarios)


def _one_after_the_other(stage: Stage, setting: Setting, scenarios: Sequence[Scenario]) -> Iterator[Outcome]:
    stage.outcome = closing = Outcome(f"the end of {stage.name}", ())
    with caught(stage):
        setting.open(stage)
    for scenario in scenarios if not closing.faults else ():
        began = time.monotonic()
        stage.outcome = Outcome(scenario.name, scenario.rows)
        with caught(stage):
            scenario.play(stage)
            invariants.standing(stage)
        stage.outcome.took_sec = time.monotonic() - began
        yield stage.outcome
    stage.outcome = closing
    with caught(stage):
        if not closing.faults:
            setting.close(stage)
    yield closing


@contextlib.contextmanager
def caught(stage: Stage) -> Iterator[None]:
    """A scenario that breaks has failed, and says how; the next one still plays."""
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever it is, it is told with its place
        stage.expect(False, "played", "".join(traceback.format_exc()[-1500:]))
