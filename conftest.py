"""What every test of every app may ask for."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import numpy as np
import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.db.models.signals import post_migrate

from ingestion import ledger
from learning import predictor
from scoring.models import ScoringSettings
from tokens import ready
from tothemoon.tests import migrated

hypothesis.settings.register_profile("quick", max_examples=50, deadline=None)
hypothesis.settings.register_profile("long", max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "5000")), deadline=None)
# ./run mutants: the same examples for each change, and a change is noticed without being shown in its smallest form.
hypothesis.settings.register_profile(
    "mutants",
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # of a busy machine: no change shall be noticed by that
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
admin.autodiscover()  # as the web site does with its addresses: tests of the admin ask no address first
np.seterr(all="raise", under="ignore")  # a silent 0/0 in a score is worse than a crash in a test


@pytest.fixture
def now() -> datetime:
    """A moment that every test agrees on."""
    return datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def still(now: datetime, time_machine: Any) -> None:
    """The clock stands: every few seconds a page or a ranking is a new one, even if nothing in it has changed."""
    time_machine.move_to(now, tick=False)


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """A real password hash takes most of a second, and hundreds of tests log in."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache, the pages, the counts of requests and the listener's spool outlive a test's rows: what one test was told must not answer
    the next. And a test that changes a row sees it on the next page, not after a second."""
    cache.clear()
    ready.forget()
    vars(ledger.book).update(vars(ledger.Ledger()))
    monkeypatch.setattr(ready, "LOOK_AGAIN_SEC", 0.0)
    for spool in (*Path(settings.SPOOL_DIR).glob("*.spool"), Path(f"{settings.DATABASES['default']['NAME']}.spool")):
        spool.unlink(missing_ok=True)


@pytest.fixture
def models_folder(tmp_path: Path, settings: Any) -> Path:
    """Where models lie in this test; none of another test is remembered."""
    settings.MODELS_DIR = tmp_path
    predictor.forget()
    return tmp_path


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """A database that is migrated already. SQLite in a real file, as in production: in memory, two connections would not meet."""
    database: dict[str, Any] = settings.DATABASES["default"]
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    own = database.setdefault("TEST", {})
    if settings.ON_SQLITE:
        own["NAME"] = str(Path(str(database["NAME"])).with_name(f"test-{worker}.sqlite3"))
        migrated.migrate(f"sqlite:///{own['NAME']}")
        return
    own["NAME"] = f"test_{worker}"
    migrated.migrate(created(own["NAME"]))


def created(name: str) -> str:
    """The address of a new database in the cluster of this run."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"'.encode())
    return os.environ["DATABASE_URL"].replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """It is there, and nobody has to take it away: its folder or its cluster goes with the run."""
    return True


def _first_revision(**_which: Any) -> None:
    if not ScoringSettings.objects.exists():
        ScoringSettings.objects.create(active=True, note="defaults")
        import_module("scoring.migrations.0005_presets").ship(apps, SimpleNamespace(connection=connection))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """A test that really commits empties every table at its end, and with them what the migrations had put in: the first revision
    of the settings. It is made again at that very moment, so that every test meets the database as an operator does."""
    post_migrate.connect(_first_revision, sender=apps.get_app_config("scoring"), dispatch_uid="the first revision")
    yield
    post_migrate.disconnect(sender=apps.get_app_config("scoring"), dispatch_uid="the first revision")
