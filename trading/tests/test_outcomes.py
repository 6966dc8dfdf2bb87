"""From closed paper trades to a probability: what became of earlier scores decides what a score is worth."""

from datetime import timedelta

import pytest

from scoring.models import ScoringSettings
from scoring.stage_columns import stage_values
from tokens.models import Token, TokenSnapshot
from trading.backtest import data_hash, replay
from trading.backtest_run import of_tokens
from trading.judge_rule import JudgeRule
from trading.models import Judgement, PaperPosition
from trading.outcomes import calibration_before, outcomes
from trading.pipeline import StageRules, signal_key
from trading.run import step
from trading.tests.test_run import BEGIN, EAGER, LATENESS_SEC, live, market

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def closed_trades(number: int, token: Token, won_from: float = 0.5) -> None:
    """Of yesterday: scores from 0 to 1, and the higher ones won."""
    revision = ScoringSettings.objects.get(active=True)
    for place in range(number):
        score, at = place / number, BEGIN - DAY + timedelta(minutes=place)
        judgement = Judgement.objects.create(
            key=place + 1, token=token, ts=at, settings=revision, price=1.0, market_state="calm", effective_reasons=2.0, scenario="none",
            score=score, recommendation="WAIT", recommendation_original="WAIT", basis="scenario", gate="none", risk_class="medium",
        )  # fmt: skip
        PaperPosition.objects.create(
            judgement=judgement, token=token, side=1, opened_at=at, opened=int(at.timestamp()), entry=1.0, quantity=1.0, left=0.0,
            first_stop=0.9, stop=0.9, invested=1.0, risked=0.1, closed_at=at + timedelta(minutes=30), exit="stop",
            result=1.0 if score >= won_from else -1.0, best=1.0, last_close=1.0,
        )  # fmt: skip


def test_a_score_becomes_a_probability_when_enough_trades_are_over() -> None:
    token = market(12)[0]
    ScoringSettings.objects.revise({**EAGER, "judge_calibration_least": 40}, None, "trades a lot")
    closed_trades(60, token)
    for minute in range(25):
        step(BEGIN + timedelta(hours=9, minutes=minute, seconds=LATENESS_SEC))
    judged = list(Judgement.objects.filter(ts__gt=BEGIN, score__isnull=False))
    assert judged
    assert all(row.confidence_is_probability for row in judged)
    assert all(row.confidence_low <= row.confidence <= row.confidence_high for row in judged)
    planned = [row for row in judged if row.side]
    assert planned
    assert all(row.expectancy == pytest.approx(row.confidence * row.reward_risk - (1 - row.confidence), rel=1e-6) for row in planned)


def test_with_too_few_it_stays_a_score() -> None:
    token = market(1)[0]
    closed_trades(30, token)
    assert calibration_before(BEGIN, JudgeRule(calibration_least=40)) is None


def test_trades_of_the_same_day_do_not_count_yet() -> None:
    token = market(1)[0]
    closed_trades(60, token)
    PaperPosition.objects.update(closed_at=BEGIN + timedelta(hours=1))
    assert calibration_before(BEGIN + timedelta(hours=9), JudgeRule(calibration_least=40)) is None
    assert calibration_before(BEGIN + DAY, JudgeRule(calibration_least=40)) is not None


def test_who_won_more_is_surer() -> None:
    token = market(1)[0]
    closed_trades(60, token, won_from=0.5)
    found = calibration_before(BEGIN, JudgeRule(calibration_least=40))
    assert found is not None
    assert found.probabilities[0] < 0.5 < found.probabilities[-1]
    assert found.outcomes == 60


def test_a_back_test_judges_by_the_probabilities_that_live_had() -> None:
    tokens = market(12)
    revision = ScoringSettings.objects.revise({**EAGER, "judge_calibration_least": 40}, None, "trades a lot")
    closed_trades(60, tokens[0])
    since = BEGIN + timedelta(hours=9)
    live(since, 8)
    material = of_tokens([token.pk for token in tokens], since - timedelta(minutes=1), since + timedelta(minutes=7))
    judged = replay(material, StageRules.from_settings({**stage_values(revision), "trigger_overrides": {}})).decided.judged
    keys = signal_key(judged.end, material.grid.tokens[judged.columns]).tolist()
    told = dict(zip(keys, judged.confidence.tolist(), strict=True))
    stored = dict(Judgement.objects.filter(ts__gt=BEGIN).values_list("pk", "confidence"))
    assert stored.keys() == told.keys() != set()
    assert all(judged.confidence_is_probability)
    assert [told[key] for key in stored] == pytest.approx(list(stored.values()), nan_ok=True)


def test_another_past_is_other_data() -> None:
    tokens = market(2)
    since = BEGIN + timedelta(hours=1)
    hashes = {data_hash(of_tokens([token.pk for token in tokens], since, since + timedelta(minutes=20)))}
    closed_trades(60, tokens[0])
    hashes.add(data_hash(of_tokens([token.pk for token in tokens], since, since + timedelta(minutes=20))))
    TokenSnapshot.objects.filter(token=tokens[0]).update(volume_1h=1.0)
    hashes.add(data_hash(of_tokens([token.pk for token in tokens], since, since + timedelta(minutes=20))))
    assert len(hashes) == 3


def test_outcomes_come_in_the_order_of_their_ends() -> None:
    closed_trades(60, market(1)[0])
    found = outcomes(BEGIN)
    assert len(found.ended) == 60
    assert (found.ended[1:] >= found.ended[:-1]).all()
    assert len(outcomes(BEGIN, 7).ended) == 7
    assert outcomes(BEGIN, 7).ended[-1] == found.ended[-1]
