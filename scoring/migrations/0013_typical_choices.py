"""Both choices say what is typical, as every other setting does."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0012_stages_in_order'),
    ]

    operations = [
        migrations.AlterField(
            model_name='scoringsettings',
            name='degrade_mode',
            field=models.CharField(choices=[('any', 'any: few transactions or a low score'), ('both', 'both: few transactions and a low score')], default='any', help_text='What makes a check low. Typical: any.', max_length=8),
        ),
        migrations.AlterField(
            model_name='scoringsettings',
            name='score_model',
            field=models.CharField(choices=[('hybrid_momentum', 'hybrid momentum: the four metrics, weighted'), ('hybrid_momentum_fair', 'hybrid momentum, fair: corrected for age and size, 0–100')], default='hybrid_momentum', help_text='Which formula makes the score. Typical: hybrid momentum.', max_length=40),
        ),
    ]
