"""Snapshots in a partition for each day on PostgreSQL: dropped whole when they are old."""

from django.db import migrations

from tokens.into_days import IntoDays


class Migration(migrations.Migration):
    atomic = False  # each step holds its locks for itself, and shortly

    dependencies = [("tokens", "0004_updates_in_place")]

    operations = [IntoDays("token_snapshots"), IntoDays("pool_snapshots")]
