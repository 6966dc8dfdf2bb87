"""A judgement points to what the evidence keeps of it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('learning', '0002_feature_in_sql'),
        ('trading', '0003_gate_ledger_accounts'),
    ]

    operations = [
        migrations.AddField(
            model_name='judgement',
            name='signal',
            field=models.OneToOneField(
                blank=True,
                help_text="What the evidence keeps of it; blank where that was off, came too late, or is beyond its retention.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="judgement",
                to="learning.signal",
            ),
        ),
    ]
