"""Scores in a partition for each day on PostgreSQL, and what a signal points to out of its way: dropping a day must not lose it.

A foreign key needs one unique key to point to, which parts by the day cannot have. The scores that signals point to are therefore kept ones
from the moment of the signal on: the database itself moves them into the part of which they are the key, and holds the signals to it.
"""

from django.db import migrations

from tokens.into_days import IntoDays

# By statement, whatever the number of its signals. Each score by its key: left the choice, PostgreSQL may read every score there is.
KEEPS = """
CREATE FUNCTION keep_scores_of_signals() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF to_regclass('token_scores_kept') IS NOT NULL THEN
        UPDATE token_scores s SET kept = true FROM given g WHERE s.id = g.token_score_id AND NOT s.kept;
    END IF;
    RETURN NULL;
END $$
"""
FIRES = """
CREATE TRIGGER keep_scores_of_signals_{event} AFTER {event} ON signals
REFERENCING NEW TABLE AS given FOR EACH STATEMENT EXECUTE FUNCTION keep_scores_of_signals()
"""
EVENTS = ("insert", "update")


def make(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(KEEPS)
        for event in EVENTS:
            schema_editor.execute(FIRES.format(event=event))


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for event in EVENTS:
            schema_editor.execute(f"DROP TRIGGER keep_scores_of_signals_{event} ON signals")
        schema_editor.execute("DROP FUNCTION keep_scores_of_signals()")


class Migration(migrations.Migration):
    atomic = False  # each step holds its locks for itself, and shortly

    dependencies = [("learning", "0002_feature_in_sql"), ("scoring", "0015_alert_of_models"), ("tokens", "0005_in_days")]
    operations = [migrations.RunPython(make, drop, elidable=False, atomic=True), IntoDays("token_scores")]
