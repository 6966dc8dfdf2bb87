"""Why a status changed, told anew from its numbers in the language of the reader."""

from types import SimpleNamespace

import pytest
from django.utils import translation

from tokens import status_rule
from tokens.retold import in_words, retold
from tokens.status_rule import ACTIVATE, DEGRADE, TIME_OUT, Rule

RULE = Rule()
ACTORS = {ACTIVATE: "rule:activate", DEGRADE: "rule:degrade", TIME_OUT: "rule:timeout"}
NUMBERS = {
    "tx_count_5m": 12,
    "liquidity": 15_204.4,
    "pools": 2,
    "score": 0.2104,
    "low_checks": 10,
    "low_for_sec": 2820,
    "observed_sec": 86_400,
}


def change(verdict, **numbers):
    """A row as the rule writes it, with what is unknown as NaN for the sentence and as None in the evidence."""
    evidence = {**NUMBERS, **numbers}
    spoken = {name: float("nan") if value is None else value for name, value in evidence.items()}
    evidence["thresholds"] = status_rule.thresholds(verdict, RULE)
    return SimpleNamespace(actor=ACTORS[verdict], reason=status_rule.reason(verdict, spoken, RULE), evidence=evidence)


CHANGES = [
    change(ACTIVATE),
    change(ACTIVATE, pools=1, tx_count_5m=330),
    change(ACTIVATE, liquidity=None, tx_count_5m=25),
    change(DEGRADE),
    change(DEGRADE, score=None, low_checks=1, low_for_sec=12.5),
    change(DEGRADE, tx_count_5m=300, low_for_sec=20_880),
    change(TIME_OUT, observed_sec=86_460.5),
]


@pytest.mark.parametrize("row", CHANGES)
def test_in_english_it_says_what_the_row_says(row):
    assert retold(row) == row.reason


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("uk", "транзакцій за 5 хв 12 < 25 і оцінка 0.210 < 0.3: 10 перевірок за 47 хв"),
        ("ru", "транзакций за 5 мин 12 < 25 и оценка 0.210 < 0.3: 10 проверок за 47 мин"),
    ],
)
def test_in_another_language_the_same_numbers_stand_in_its_own_sentence(language, said):
    with translation.override(language):
        assert retold(change(DEGRADE)) == said


@pytest.mark.parametrize(("pools", "said"), [(1, "1 пул"), (3, "3 пули"), (5, "5 пулів"), (11, "11 пулів"), (21, "21 пул")])
def test_a_number_takes_its_form(pools, said):
    with translation.override("uk"):
        assert retold(change(ACTIVATE, pools=pools)) == f"ліквідність $15,204 ≥ $500, {said}"


@pytest.mark.parametrize("evidence", [None, [], {}, {"thresholds": {}}, {"thresholds": {"min_tx_count": "?"}, "tx_count_5m": 3}])
def test_numbers_that_are_not_all_there_leave_the_words_as_they_are(evidence):
    row = SimpleNamespace(actor="rule:degrade", reason="low for long", evidence=evidence)
    with translation.override("ru"):
        assert retold(row) == "low for long"


def test_what_a_person_wrote_is_never_touched():
    row = SimpleNamespace(actor="anna", reason="held: rug %(met)s {0} <b>", evidence={"by_hand": True})
    with translation.override("uk"):
        assert retold(row) == row.reason


def test_a_token_that_was_found_says_where_it_migrated_to():
    row = SimpleNamespace(actor="listener", reason="migrated to pump-amm", evidence={"pool": "pump-amm %(x)s"})
    with translation.override("uk"):
        assert retold(row) == "міграція на pump-amm %(x)s"
        assert in_words("the listener was not running") == "слухач не працював"
        assert in_words("refused with 403") == "refused with 403"
