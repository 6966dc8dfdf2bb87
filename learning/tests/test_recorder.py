"""A mark written piece by piece is the mark written at once: the same bits, whatever happens between two looks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from learning import again, features, predictor, recording, storing
from learning.feature_inputs import inputs_at
from learning.models import FeatureVector, Prediction, Signal
from learning.recorder import HURRY, LEAST_MIN, PIECES, Recorder
from learning.tests.evidence_rows import make_score, make_token, make_vector, see
from scoring.models import ScoringSettings
from tokens.bars import LATENESS
from tokens.models import Bar, Token

pytestmark = pytest.mark.django_db
AFTER, LOOK = timedelta(seconds=25), timedelta(seconds=15)
READING = 3  # scores, a rest, the inputs
LOOKS = READING + 2 * PIECES


@pytest.fixture
def tokens(now: datetime) -> list[Token]:
    """Seven that were seen until `now` and scored then."""
    made = [make_token(now, name) for name in "ABCDEFG"]
    for place, token in enumerate(made):
        see(token, now, minutes=5 + place, price=0.001 * (1 + place))
        make_score(token, now, 1.0 + place)
    Token.objects.update(last_scored_at=now)
    return made


def look(of: Recorder, at: datetime, times: int = 1, **more: Any) -> list[recording.Recorded]:
    revision = ScoringSettings.objects.get(active=True)
    return [of.look(at + AFTER + turn * LOOK, revision, **more) for turn in range(times)]


def stored() -> list[tuple[Any, ...]]:
    return [(pk, bytes(values), bytes(reasons)) for pk, values, reasons in FeatureVector.objects.values_list("pk", "values", "reasons")]


def test_in_pieces_and_at_once_give_the_same_bits(now: datetime, tokens: list[Token]) -> None:
    *before, last = look(Recorder(), now, LOOKS)
    assert all(not done.mark for done in before)
    assert (last.mark, last.vectors, last.signals) == ("2026-11-21 12:00", 7, 7)
    in_pieces = stored()
    Signal.objects.all().delete()
    FeatureVector.objects.all().delete()
    recording.record(now + AFTER)
    assert stored() == in_pieces


def test_what_is_stored_between_two_looks_changes_nothing_and_every_vector_is_worked_out_again_from_its_moment(
    now: datetime, tokens: list[Token]
) -> None:
    mine = Recorder()
    look(mine, now, 2)
    late = {"open": 1.0, "high": 9.0, "low": 1.0, "close": 9.0, "stored_at": now + AFTER + LOOK}
    Bar.objects.bulk_create([Bar(token=token, interval="1m", open_time=now - timedelta(minutes=50), **late) for token in tokens])
    look(mine, now + 2 * LOOK, LOOKS - 2)
    assert {vector.stored_at for vector in FeatureVector.objects.all()} == {now + AFTER}
    for signal in Signal.objects.select_related("vector", "token_score"):
        assert again.work_out(signal, now + timedelta(hours=1)).parts[0].state == again.SAME
        assert now + AFTER < signal.stored_at <= now + AFTER + LOOKS * LOOK


def test_no_look_after_the_last_writes_the_mark_again_and_the_next_mark_is_written(now: datetime, tokens: list[Token]) -> None:
    mine = Recorder()
    look(mine, now, LOOKS)
    assert not mine.at_work
    revision = ScoringSettings.objects.get(active=True)
    with CaptureQueriesContext(connection) as captured:
        assert mine.look(now + timedelta(seconds=290), revision) == recording.Recorded()
    assert not captured.captured_queries
    following = now + timedelta(minutes=15)
    for token in tokens:
        make_score(token, following, 2.0)
        see(token, following, minutes=2)
    Token.objects.update(last_scored_at=following)
    assert look(mine, following, LOOKS)[-1].vectors == 7


def test_a_process_that_ends_in_between_leaves_whole_tokens_and_the_next_one_writes_the_others(now: datetime, tokens: list[Token]) -> None:
    look(Recorder(), now, READING + PIECES + 2)
    written = list(Signal.objects.values_list("pk", "stored_at"))
    assert 0 < len(written) == FeatureVector.objects.count() < 7
    look(Recorder(), now + timedelta(minutes=1), LOOKS)
    assert Signal.objects.count() == FeatureVector.objects.count() == 7
    assert set(written) < set(Signal.objects.values_list("pk", "stored_at"))


def test_two_processes_that_write_one_mark_side_by_side_lose_and_double_nothing(now: datetime, tokens: list[Token]) -> None:
    revision, both = ScoringSettings.objects.get(active=True), (Recorder(), Recorder())
    told = [of.look(now + AFTER + turn * LOOK + behind * LOOK / 2, revision) for turn in range(LOOKS) for behind, of in enumerate(both)]
    assert sum(each.signals for each in told) == sum(each.vectors for each in told) == 7
    assert Signal.objects.count() == FeatureVector.objects.count() == 7
    for signal in Signal.objects.select_related("vector", "token_score"):
        assert again.work_out(signal, now + timedelta(hours=1)).parts[0].state == again.SAME


@pytest.mark.parametrize("late", [timedelta(seconds=150), timedelta(seconds=295)])
def test_a_process_that_begins_late_writes_the_mark_all_the_same(now: datetime, tokens: list[Token], late: timedelta) -> None:
    """Piece by piece it would not come to the end: what is left shortly before the end is written at once."""
    look(Recorder(), now, READING + PIECES + 2)  # another process, which has ended
    mine, revision, at = Recorder(), ScoringSettings.objects.get(active=True), now + late
    while at - now <= recording.LATEST:
        mine.look(at, revision)
        at += LOOK
    assert Signal.objects.count() == FeatureVector.objects.count() == 7
    assert not mine.at_work


def test_a_piece_that_fails_is_done_again_at_the_next_look(now: datetime, tokens: list[Token], monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Recorder()
    look(mine, now, READING + PIECES)
    with monkeypatch.context() as broken:
        broken.setattr(storing, "store_signals", _refuse)
        with pytest.raises(IntegrityError):
            look(mine, now + timedelta(minutes=2))
    assert not FeatureVector.objects.exists()
    assert look(mine, now + timedelta(minutes=2), PIECES)[-1].signals == 7


def test_a_mark_that_is_not_done_in_time_is_left_as_it_is(now: datetime, tokens: list[Token], caplog: pytest.LogCaptureFixture) -> None:
    mine = Recorder()
    look(mine, now, READING + 1 + PIECES)
    revision, there = ScoringSettings.objects.get(active=True), Signal.objects.count()
    mine.look(now + recording.LATEST + timedelta(seconds=1), revision)
    assert (mine.at_work, Signal.objects.count()) == (False, there)
    assert "was not written to its end in time" in caplog.text


def test_a_vector_that_stage_2_stored_in_between_is_what_the_prediction_is_made_of(
    now: datetime, tokens: list[Token], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def predictions(values: Any) -> list[Any]:
        asked.extend(values.tolist())
        return []

    monkeypatch.setattr(predictor, "predictions", predictions)
    mine = Recorder()
    look(mine, now, READING + PIECES)
    first = make_vector(tokens[3], now)
    look(mine, now + timedelta(minutes=2), PIECES)
    assert bytes(FeatureVector.objects.get(pk=first.pk).values) == bytes(first.values)
    assert asked[3] == pytest.approx(first.as_array().tolist(), nan_ok=True)
    assert (Signal.objects.count(), Prediction.objects.count()) == (7, 0)


def test_a_vector_that_stage_2_stores_while_the_models_are_asked_is_what_they_are_asked_of_again(
    now: datetime, tokens: list[Token], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def predictions(values: Any) -> list[Any]:
        asked.append(values.tolist())
        if not FeatureVector.objects.exists():
            make_vector(tokens[0], now)
        return []

    monkeypatch.setattr(predictor, "predictions", predictions)
    recording.record(now + AFTER)
    first = FeatureVector.objects.get(token=tokens[0]).as_array().tolist()
    assert len(asked) == 2
    assert asked[0][0] != pytest.approx(first, nan_ok=True)
    assert asked[1][0] == pytest.approx(first, nan_ok=True)
    assert Signal.objects.count() == 7


def test_where_marks_follow_each_other_fast_each_is_written_at_once(now: datetime, tokens: list[Token]) -> None:
    mine = Recorder()
    look(mine, now, 3)  # and one is under way
    ScoringSettings.objects.revise({"evidence_every_min": 2}, None, "a demonstration")
    assert look(mine, now)[0].vectors == 7
    assert not mine.at_work
    ScoringSettings.objects.revise({"evidence_every_min": 0}, None, "off")
    assert look(mine, now)[0] == recording.Recorded()


def test_the_marks_looks_fit_into_its_time() -> None:
    seconds = LOOKS * LOOK.total_seconds() + LOOK.total_seconds() + LATENESS.total_seconds()
    assert seconds < HURRY.total_seconds() < recording.LATEST.total_seconds() - 2 * LOOK.total_seconds()
    assert recording.LATEST.total_seconds() <= LEAST_MIN * 60


def test_every_piece_takes_its_turn_to_write(now: datetime, tokens: list[Token]) -> None:
    turns = []

    @contextmanager
    def writing() -> Iterator[None]:
        turns.append(connection.in_atomic_block)
        yield

    given: Callable[[], AbstractContextManager[None]] = writing
    look(Recorder(), now, LOOKS, writing=given)
    assert len(turns) == PIECES


def test_the_statements_of_a_look_do_not_depend_on_the_number_of_tokens(now: datetime, tokens: list[Token]) -> None:
    storing.keep_schema()
    Token.objects.filter(symbol__in="BCDEFG").update(last_scored_at=None)
    one = _statements(now)
    Signal.objects.all().delete()
    FeatureVector.objects.all().delete()
    Token.objects.update(last_scored_at=now)
    seven = _statements(now)
    assert max(seven) == max(one) <= 16
    assert seven[: READING + PIECES] == one[: READING + PIECES]


def test_some_slots_after_the_others_are_all_slots(now: datetime, tokens: list[Token]) -> None:
    inputs = inputs_at(now, now + AFTER, [token.pk for token in tokens])
    whole, working = features.compute(inputs), features.Working(inputs)
    while not working.done:
        working.go_on(7)
    assert working.found().values.tobytes() == whole.values.tobytes()
    assert working.found().reasons.tobytes() == whole.reasons.tobytes()


def _statements(now: datetime) -> list[int]:
    mine, counts = Recorder(), []
    for turn in range(LOOKS):
        with CaptureQueriesContext(connection) as captured:
            look(mine, now + turn * LOOK)
        counts.append(len(captured))
    assert not mine.at_work
    return counts


def _refuse(*_: Any) -> int:
    raise IntegrityError("refused")
