"""How often evidence is written down, how it is settled, and how long it is kept."""

import django.core.validators
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0013_typical_choices'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='scoringsettings',
            name='evidence_dead_loss',
            field=models.FloatField(db_default=0.8, default=0.8, help_text='Taken off the last price of a token that has none any more when a horizon ends; 1: all is lost. Typical: 0.8.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)]),
        ),
        migrations.AddField(
            model_name='scoringsettings',
            name='evidence_every_min',
            field=models.IntegerField(db_default=15, default=15, help_text='What was seen and said of every token is written down so often. 0: never. Typical: 15.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(60)]),
        ),
        migrations.AddField(
            model_name='scoringsettings',
            name='evidence_fresh_sec',
            field=models.IntegerField(db_default=900, default=900, help_text='A price counts for so long when a horizon ends; a token without one is dead. Quiet tokens are looked at every 10 minutes. Typical: 900.', validators=[django.core.validators.MinValueValidator(60), django.core.validators.MaxValueValidator(7200)]),
        ),
        migrations.AddField(
            model_name='scoringsettings',
            name='evidence_retention_days',
            field=models.IntegerField(db_default=365, default=365, help_text='Evidence is kept so long, whole months at a time on PostgreSQL. Typical: 365.', validators=[django.core.validators.MinValueValidator(2), django.core.validators.MaxValueValidator(3650)]),
        ),
        migrations.AddConstraint(
            model_name='scoringsettings',
            constraint=models.CheckConstraint(condition=models.Q(('evidence_every_min__gte', 0.0), ('evidence_every_min__lte', 60.0), ('evidence_fresh_sec__gte', 60.0), ('evidence_fresh_sec__lte', 7200.0), ('evidence_dead_loss__gte', 0.0), ('evidence_dead_loss__lte', 1.0), ('evidence_retention_days__gte', 2.0), ('evidence_retention_days__lte', 3650.0)), name='scoring_settings_evidence'),
        ),
    ]
