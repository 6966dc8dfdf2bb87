"""Three revisions to start a draft from. None of them is in force until somebody saves what he made of it."""

from django.db import migrations, models

PRESETS = {
    "cautious": {
        "note": "cautious: few tokens, slow to change; steady growth of holders counts most",
        "weight_tx_accel": 0.2,
        "weight_vol_momentum": 0.25,
        "weight_holder_growth": 0.3,
        "weight_orderflow_imbalance": 0.25,
        "ewma_alpha": 0.15,
        "min_tx_count": 40,
        "activation_tx_margin": 10,
        "min_active_liquidity": 5000.0,
        "min_score_keep_active": 0.4,
        "degrade_checks": 6,
    },
    "balanced": {
        "note": "balanced: equal weights, some room between becoming Active and being archived",
        "activation_tx_margin": 5,
        "min_active_liquidity": 1000.0,
    },
    "early": {
        "note": "early: acceleration first, quick to change, lenient with the young",
        "weight_tx_accel": 0.4,
        "weight_vol_momentum": 0.3,
        "weight_holder_growth": 0.1,
        "weight_orderflow_imbalance": 0.2,
        "ewma_alpha": 0.5,
        "min_tx_count": 15,
        "min_active_liquidity": 300.0,
        "min_score_keep_active": 0.25,
        "degrade_checks": 15,
    },
}


def ship(apps, schema_editor):
    revisions = apps.get_model("scoring", "ScoringSettings").objects.using(schema_editor.connection.alias)
    for name, values in PRESETS.items():
        if not revisions.filter(preset=name).exists():
            revisions.create(preset=name, active=False, **values)


class Migration(migrations.Migration):
    dependencies = [("scoring", "0004_ranking")]
    operations = [
        migrations.AddField(
            model_name="scoringsettings",
            name="preset",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="The name of a revision that ships as a place to start from.",
                max_length=20,
            ),
        ),
        migrations.RunPython(ship, migrations.RunPython.noop),
    ]
