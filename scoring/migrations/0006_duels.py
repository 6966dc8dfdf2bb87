import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '__first__'),
        ('scoring', '0005_presets'),
        ('tokens', '0002_bars'),
    ]

    operations = [
        migrations.AddField(
            model_name='scoringsettings',
            name='set_aside',
            field=models.BooleanField(db_default=False, default=False, editable=False, help_text='Saved without being put in force: for a duel, or for later.'),
        ),
        migrations.CreateModel(
            name='Duel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('note', models.CharField(blank=True, default='', help_text='What is to be found out.', max_length=300)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('begun_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('ended_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('ending', models.CharField(blank=True, default='', editable=False, help_text='Why it ended.', max_length=200)),
                ('running', models.BooleanField(default=True, editable=False)),
                ('author', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'duels',
                'constraints': [models.UniqueConstraint(condition=models.Q(('running', True)), fields=('running',), name='duels_one_runs'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('running', True)), ('running', False), _connector='OR'), name='duels_ended_or_running')],
            },
        ),
        migrations.CreateModel(
            name='DuelLook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.IntegerField()),
                ('ts', models.DateTimeField()),
                ('tokens', models.IntegerField()),
                ('data', models.BinaryField()),
                ('duel', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='looks', to='scoring.duel')),
                ('settings', models.ForeignKey(help_text='What was in force.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='scoring.scoringsettings')),
            ],
            options={
                'db_table': 'duel_looks',
                'constraints': [models.UniqueConstraint(fields=('duel', 'number'), name='duel_looks_number'), models.CheckConstraint(condition=models.Q(('number__gte', 0), ('tokens__gte', 0)), name='duel_looks_counted')],
            },
        ),
        migrations.CreateModel(
            name='DuelSide',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.SmallIntegerField()),
                ('duel', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sides', to='scoring.duel')),
                ('settings', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='duel_sides', to='scoring.scoringsettings')),
            ],
            options={
                'db_table': 'duel_sides',
                'constraints': [models.UniqueConstraint(fields=('duel', 'place'), name='duel_sides_place'), models.UniqueConstraint(fields=('duel', 'settings'), name='duel_sides_settings'), models.CheckConstraint(condition=models.Q(('place__gte', 1), ('place__lte', 3)), name='duel_sides_known_place')],
            },
        ),
        migrations.CreateModel(
            name='ShadowScore',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ts', models.DateTimeField(blank=True, help_text='Moment of the snapshot that was scored last.', null=True)),
                ('ticks', models.IntegerField(default=0, help_text='How many scores it has made in this duel.')),
                ('score', models.FloatField(blank=True, null=True)),
                ('status', models.CharField(choices=[('Initial', 'Initial'), ('Active', 'Active'), ('Archived', 'Archived')], default='Initial', max_length=16)),
                ('activated_at', models.DateTimeField(blank=True, help_text='When this side first made it Active, while the duel ran.', null=True)),
                ('archived_at', models.DateTimeField(blank=True, null=True)),
                ('smoothed_tx_accel', models.FloatField(blank=True, null=True)),
                ('smoothed_vol_momentum', models.FloatField(blank=True, null=True)),
                ('smoothed_holder_growth', models.FloatField(blank=True, null=True)),
                ('smoothed_orderflow_imbalance', models.FloatField(blank=True, null=True)),
                ('age_sec_tx_accel', models.FloatField(blank=True, null=True)),
                ('age_sec_vol_momentum', models.FloatField(blank=True, null=True)),
                ('age_sec_holder_growth', models.FloatField(blank=True, null=True)),
                ('age_sec_orderflow_imbalance', models.FloatField(blank=True, null=True)),
                ('last_check_at', models.DateTimeField(blank=True, null=True)),
                ('observed_sec', models.FloatField(default=0.0)),
                ('low_since', models.DateTimeField(blank=True, null=True)),
                ('low_checks', models.IntegerField(default=0)),
                ('side', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scores', to='scoring.duelside')),
                ('token', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='shadow_scores', to='tokens.token')),
            ],
            options={
                'db_table': 'shadow_scores',
                'constraints': [models.UniqueConstraint(fields=('side', 'token'), name='shadow_scores_side_token'), models.CheckConstraint(condition=models.Q(('status__in', ['Initial', 'Active', 'Archived'])), name='shadow_scores_known_status'), models.CheckConstraint(condition=models.Q(('score__isnull', True), models.Q(('score__gte', -1e+18), ('score__lte', 1e+18)), _connector='OR'), name='shadow_scores_score_finite')],
            },
        ),
    ]
