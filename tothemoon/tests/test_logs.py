import json
import logging
import os
import subprocess
import sys

import pytest

from tothemoon.logs import JsonLine, KeyValue, RequestId, SharedFile, logging_settings, mask, request_id

CANARY = "canary/key+9f8e7d6c5b4a"
FORMS = [KeyValue, JsonLine]


@pytest.fixture(autouse=True)
def _with_secrets(settings):
    settings.BIRDEYE_API_KEY = CANARY
    settings.PUMPPORTAL_API_KEY = "pump-canary-11"
    settings.REDIS_URL = "redis://:redis-canary-22@cache:6379/0"


def line(form, msg="stored", *args, level=logging.INFO, exc_info=None, **extra):
    record = logging.LogRecord("ingestion.intake", level, "/app/ingestion/intake.py", 12, msg, args, exc_info)
    vars(record).update(extra)
    return form().format(record)


def caught(error):
    try:
        raise error
    except type(error):
        return sys.exc_info()


def test_a_line_begins_with_time_level_logger_and_message():
    text = line(KeyValue, "stored %d migrations", 3, token="9b1B", batch_ms=12)
    assert text.endswith(" INFO ingestion.intake stored 3 migrations module=intake token=9b1B batch_ms=12")
    assert text[10] == "T"
    assert text[23] == "Z"


def test_a_json_line_is_one_object_with_the_same_fields():
    found = json.loads(line(JsonLine, "stored %d", 3, token="9b1B", batch_ms=12))
    assert list(found) == ["ts", "level", "logger", "msg", "module", "token", "batch_ms"]
    assert (found["level"], found["msg"], found["module"]) == ("INFO", "stored 3", "intake")


def test_a_value_with_blanks_is_quoted_and_cannot_pretend_to_be_another_field():
    assert 'symbol="a level=ERROR"' in line(KeyValue, symbol="a level=ERROR")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", [CANARY, f"/x?api-key={CANARY}", "canary%2Fkey%2B9f8e7d6c5b4a", f"{{'X-API-KEY': '{CANARY}'}}"])
def test_a_key_is_masked_in_message_arguments_and_extra(form, text):
    written = line(form, f"asked {text}") + line(form, "asked %s", text) + line(form, url=text, deep={"list": [text]})
    assert "9f8e7d6c5b4a" not in written
    assert "***" in written


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_masked_in_a_traceback_and_its_causes(form):
    outer = RuntimeError("no answer")
    outer.__cause__ = ConnectionError(f"https://host/?x={CANARY}")
    written = line(form, "failed", exc_info=caught(outer), level=logging.ERROR)
    assert "9f8e7d6c5b4a" not in written
    assert "ConnectionError" in written


@pytest.mark.parametrize("form", FORMS)
def test_a_failed_placeholder_does_not_leak_the_arguments(form):
    written = line(form, "%d tokens", CANARY)
    assert "9f8e7d6c5b4a" not in written
    assert "tokens" in written


@pytest.mark.parametrize(
    "text",
    [
        "GET /?apiKey=unknown-value-1",
        "X-API-KEY: unknown-value-1",
        '{"password": "unknown-value-1"}',
        "Authorization: Bearer unknown-value-1",
        "postgresql://ttm:unknown-value-1@db/x",
        "Cookie: sessionid=unknown-value-1",
        "__Host-session=unknown-value-1; path=/",
        "PUMPPORTAL_API_KEY=unknown-value-1",
    ],
)
def test_what_looks_like_a_secret_is_masked_even_when_it_is_not_ours(text):
    assert "unknown-value-1" not in mask(text)


def test_a_field_named_like_a_secret_is_masked_whatever_it_holds():
    assert "birdeye_api_key=***" in line(KeyValue, birdeye_api_key=12345)


@pytest.mark.parametrize("text", ["token=9b1BzC1a", "tx_count_5m 12 < 25 on 10 checks", "key metrics: 4", "monkey=1"])
def test_ordinary_words_are_left_alone(text):
    assert mask(text) == text


def test_passwords_inside_addresses_of_the_settings_are_known_too(settings):
    assert mask("said redis-canary-22 aloud") == "said *** aloud"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "bad", ["a\nFAKE 2026 line", "\x1b[31mred", "a\r\nb", "\x00", "\x9b31m", "a\u2028b", "\u202egnp", "\ud800", "\x7f"]
)
def test_one_event_is_one_harmless_line(form, bad):
    written = line(form, f"name {bad}", symbol=bad, **{f"field{bad}": 1})
    assert len(written.splitlines()) == 1
    assert written.isprintable()
    assert written.encode("utf-8")


@pytest.mark.parametrize("form", FORMS)
def test_a_traceback_stays_on_its_line(form):
    assert "\n" not in line(form, "failed", exc_info=caught(ValueError("a\nb")))


def test_json_stays_strict_when_a_number_is_not_one():
    found = json.loads(line(JsonLine, score=float("nan")), parse_constant=pytest.fail)
    assert found["score"] == "nan"


def test_a_very_long_value_is_cut():
    assert len(line(KeyValue, "x" * 1_000_000)) < 11_000


def test_the_answer_names_its_request_and_so_do_the_lines_on_the_way(rf):
    seen = []
    answer = RequestId(lambda request: seen.append(line(KeyValue)) or _answer())(rf.get("/", headers={"x-request-id": "abc-12345"}))
    assert answer.headers["X-Request-ID"] == "abc-12345"
    assert "request_id=abc-12345" in seen[0]
    assert request_id.get() == ""


@pytest.mark.django_db
def test_a_page_that_is_not_found_is_logged_with_its_request(client, caplog):
    client.get("/nowhere", headers={"x-request-id": "abc-12345"})
    assert "request_id=abc-12345" in KeyValue().format(caplog.records[-1])


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "a b c d e f", "12345678\r\nX: y", "ünïcödé-id"])
def test_a_request_id_that_is_not_plain_is_replaced(rf, given):
    answer = RequestId(lambda _: _answer())(rf.get("/", HTTP_X_REQUEST_ID=given))
    assert len(answer.headers["X-Request-ID"]) == 32


def _answer():
    from django.http import HttpResponse

    return HttpResponse("")


def test_the_file_is_turned_when_full_and_every_process_follows(tmp_path):
    here, other = (SharedFile(tmp_path / "log" / "all.log", maxBytes=300, backupCount=2, delay=True) for _ in range(2))
    (tmp_path / "log").mkdir()
    for number in range(12):
        for handler in (here, other):
            handler.emit(logging.LogRecord("x", logging.INFO, "x.py", 1, f"line {number} " + "." * 40, (), None))
    here.close(), other.close()
    names = sorted(path.name for path in (tmp_path / "log").iterdir())
    assert names == ["all.log", "all.log.1", "all.log.2", "all.log.lock"]
    assert "line 11" in (tmp_path / "log" / "all.log").read_text()
    assert all(path.stat().st_size <= 300 for path in (tmp_path / "log").iterdir())


def test_a_file_that_cannot_be_written_is_told_once_without_the_message(tmp_path, capsys):
    (tmp_path / "all.log").mkdir()
    handler = SharedFile(tmp_path / "all.log", delay=True)
    for _ in range(3):
        handler.emit(logging.LogRecord("x", logging.INFO, "x.py", 1, CANARY, (), None))
    assert capsys.readouterr().err == "LOG_FILE cannot be written: IsADirectoryError\n"


def test_a_failing_job_is_logged_by_the_scheduler_through_the_same_form():
    found = logging_settings("INFO", "json", "")
    assert found["loggers"]["apscheduler"]["propagate"]
    assert found["root"]["handlers"] == ["stream"]


@pytest.mark.parametrize("form", ["kv", "json"])
def test_a_whole_process_keeps_its_keys_to_itself(form, tmp_path):
    """Success, failure and an uncaught placeholder error, written to standard error and to the file."""
    code = f"""
import django, logging, os
django.setup()
log = logging.getLogger("ingestion.birdeye")
log.info("asked with {CANARY}", extra={{"headers": {{"X-API-KEY": "{CANARY}"}}}})
logging.getLogger("apscheduler.executors.default").error("key %s", os.environ["BIRDEYE_API_KEY"])
try:
    raise RuntimeError("url ?api-key={CANARY}")
except RuntimeError:
    log.exception("failed")
log.info("%d", "{CANARY}")
"""
    file = tmp_path / "log.txt"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tothemoon.settings",
        "LOG_FORMAT": form,
        "LOG_FILE": str(file),
        "BIRDEYE_API_KEY": CANARY,
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    for written in (done.stderr, file.read_text()):
        assert "9f8e7d6c5b4a" not in written
        assert len(written.splitlines()) == 4
        assert form == "kv" or all(json.loads(row)["ts"] for row in written.splitlines())
