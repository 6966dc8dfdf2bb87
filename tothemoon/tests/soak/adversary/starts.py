"""What a worker does before it begins: it waits for its database, and refuses what must not be."""

import shutil
from pathlib import Path

from tothemoon.tests.soak.adversary import invariants
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.processes import SCHEDULER
from tothemoon.tests.soak.adversary.stage import Setting, Stage
from tothemoon.tests.soak.adversary.window import Window

LANE = "starts"
SETTING = Setting(lambda stage: None, invariants.closing)


@scenario(LANE, "S13", promise="Started before its database: waits, says what for, works ≤ 10 s after the tables are there; no crash loop.")
def too_early(stage: Stage) -> None:
    later = stage.folder / "later"
    later.mkdir()
    url = (
        f"sqlite:///{later / 'stage.sqlite3'}"
        if stage.tables.on_sqlite
        else stage.url.replace(f"///{stage.name}_", f"///later_{stage.name}_")
    )
    worker = stage.start(SCHEDULER, "run_scheduler-early", DATABASE_URL=url)
    stage.within(60, lambda: "waiting: " in worker.said(), "I10", "it says what it waits for")
    stage.expect(worker.running, "I1", "it did not wait for its database")
    assert stage.made is not None
    if stage.tables.on_sqlite:
        shutil.copy(Path(stage.made.folder) / "template.sqlite3", later / "half")
        (later / "half").replace(later / "stage.sqlite3")  # at once, as a restored back-up comes
    else:
        stage.made.copy(url.split("///")[1].split("?")[0], later)
    there = Window(url)
    stage.within(10, lambda: there.number("SELECT count(*) FROM heartbeats WHERE component LIKE 'job:%'"), "I6", "at work after the wait")
    there.close()
    stage.expect("the wait is over" in worker.said(), "I10", "it does not say that the wait is over")
    code, _ = worker.stop()
    stage.expect(code == 0, "I1", f"ended with {code}")
    stage.workers.pop("run_scheduler-early")


@scenario(LANE, "S12", promise="With DEBUG on a worker refuses to start where the site is public.")
def debug_in_a_worker(stage: Stage) -> None:
    worker = stage.start(SCHEDULER, "run_scheduler-debug", DEBUG="true", ALLOWED_HOSTS="example.org")
    stage.expect(worker.wait(60) != 0 and "DEBUG is on" in worker.said(), "I8", "a worker with DEBUG has started")
    stage.workers.pop("run_scheduler-debug")
