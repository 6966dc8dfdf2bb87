"""docs/evidence.md: its statements are run as they stand there, on whichever database this is; its Python too."""

import re
from pathlib import Path

import pytest
from django.db import connection

from learning import exporting, models, schema
from learning.in_sql import teach
from learning.tests.evidence_rows import make_chain, make_model, make_signal, make_token

pytestmark = pytest.mark.django_db
PAPER = (Path(__file__).resolve().parents[2] / "docs/evidence.md").read_text()
QUESTIONS = re.findall(r"```sql\n(.+?)```", PAPER, re.DOTALL)
EXAMPLES = re.findall(r"```python\n(.+?)```", PAPER, re.DOTALL)


def rows_of(question):
    with connection.cursor() as cursor:
        cursor.execute(question)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture
def chains(now):
    """Three tokens: two of which rose by a tenth, one that fell by a half. A model said of each that it would rise by 2 %."""
    model = make_model(now)
    made = [
        make_chain(now, token=make_token(now, name), model=model, sources=("score", "model"), settled=(15, 60), gross=gross)
        for name, gross in (("A", 0.1), ("B", 0.1), ("C", -0.5))
    ]
    make_signal(made[0].vector, "stage2", direction="down")
    teach()
    return made


def test_the_paper_has_its_three_questions():
    assert len(QUESTIONS) == 3
    assert all(question.upper().count("SELECT") == 1 for question in QUESTIONS)  # one query each


def test_how_good_were_the_signals_by_how_sure_they_were(chains):
    found = {(row["source"], row["horizon_min"]): row for row in rows_of(QUESTIONS[0])}
    assert set(found) == {(source, minutes) for source in ("score", "model") for minutes in (15, 60)}
    of_model = found["model", 60]
    assert (of_model["signals"], of_model["died"], float(of_model["confidence_from"])) == (3, 0, 0.6)
    assert found["score", 60]["confidence_from"] is None
    assert float(of_model["won"]) == pytest.approx(2 / 3)
    assert of_model["net_return"] == pytest.approx((0.08 + 0.08 - 0.52) / 3)


def test_how_right_were_the_predictions(chains):
    found = {row["horizon_min"]: row for row in rows_of(QUESTIONS[1])}
    assert set(found) == {15, 60}
    assert (found[15]["name"], found[15]["number"], found[15]["predictions"]) == ("boosted", 1, 3)
    assert float(found[15]["right_direction"]) == pytest.approx(2 / 3)
    assert found[15]["off_by"] == pytest.approx((0.08 + 0.08 + 0.52) / 3, rel=1e-5)


def test_which_features_stood_behind_the_signals(chains):
    (name,) = re.findall(r"schema_id, '(\w+)'\)", QUESTIONS[2])
    found = rows_of(QUESTIONS[2])
    assert len(found) == 6
    by_symbol = {row["symbol"]: row for row in found}
    assert [by_symbol[symbol]["came"] for symbol in "ABC"] == ["won", "won", "lost"]
    for chain in chains:
        assert by_symbol[chain.token.symbol]["slot"] == float(chain.vector.as_array()[schema.PLACES[name]])


def test_the_examples_in_python_run(chains, tmp_path):
    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    names = {name: getattr(models, name) for name in ("FeatureVector", "Signal", "Outcome")}
    for example in EXAMPLES:
        exec(compile(example.replace("FOLDER", str(tmp_path)), "docs/evidence.md", "exec"), names)
    assert len(EXAMPLES) == 3


def test_the_paper_names_every_table_of_the_evidence_and_no_column_that_is_gone():
    for model in (models.FeatureSchema, models.FeatureVector, models.ModelVersion, models.Prediction, models.Signal, models.Outcome):
        assert f"`{model._meta.db_table}`" in PAPER
