"""The first revision of the settings, with every default, so that workers have something to read. Made only where none is."""

from django.db import migrations


def make_first_revision(apps, schema_editor):
    revisions = apps.get_model("scoring", "ScoringSettings").objects.using(schema_editor.connection.alias)
    if not revisions.exists():
        revisions.create(active=True, note="defaults")


class Migration(migrations.Migration):
    dependencies = [("scoring", "0001_initial")]
    operations = [migrations.RunPython(make_first_revision, migrations.RunPython.noop)]
