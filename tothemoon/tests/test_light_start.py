"""A start loads what every process needs, and the rest where it is used."""

import json
import subprocess
import sys

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from learning.from_above import PARTS, TAGS
from scoring.stage_columns import CHECKS_OF_OVERRIDES, STAGE_PREVIEWS
from tokens.later import Later

HEAVY = ["numpy", "requests", "websocket", "psycopg", "prometheus_client", "ninja", "pyrate_limiter", "unfold.admin", "apscheduler"]
STARTED = """
import django, json, sys
from django.contrib import admin
django.setup()
loaded = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
pages = len(admin.site._registry)
from django.core.checks import run_checks
run_checks(tags=["admin"])
print(json.dumps([loaded, pages, len(admin.site._registry)]))
"""


def test_a_start_waits_for_no_library_and_no_page_and_the_check_of_the_admin_sees_all_of_them():
    command = [sys.executable, "-c", STARTED, json.dumps(HEAVY)]
    said = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, check=True, text=True).stdout
    loaded, before, after = json.loads(said.splitlines()[-1])
    assert loaded == []
    assert before == 0
    assert after > 20


@pytest.mark.parametrize("asked", [CHECKS_OF_OVERRIDES, STAGE_PREVIEWS, TAGS, PARTS])
def test_what_is_loaded_later_is_there(asked):
    later = [function for function in asked if isinstance(function, Later)]
    assert later
    assert all(callable(import_string(function.name)) for function in later)


def test_a_function_of_later_is_called_with_what_it_is_given():
    assert Later("math.hypot")(3, 4) == 5
    assert Later("math.hypot") == Later("math.hypot")
