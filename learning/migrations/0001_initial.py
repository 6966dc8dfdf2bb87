"""The tables of the evidence; the four big ones in monthly partitions on PostgreSQL."""

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.lookups
import django.utils.timezone
import learning.columns
import learning.partitions
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('scoring', '0013_typical_choices'),
        ('tokens', '0002_bars'),
    ]

    operations = [
        migrations.CreateModel(
            name='FeatureSchema',
            fields=[
                ('version', models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ('hash', models.CharField(max_length=64, unique=True)),
                ('names', models.JSONField(help_text='One a slot, in their order.')),
                ('documented', models.JSONField(default=list, help_text='Of each slot: group, unit, text.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'db_table': 'feature_schemas',
            },
        ),
        learning.partitions.PartitionedModel(
            name='FeatureVector',
            fields=[
                ('id', models.BigIntegerField(help_text='Made of the moment and the token.', primary_key=True, serialize=False)),
                ('ts', models.DateTimeField(help_text='The moment it is about: nothing in it is newer.')),
                ('stored_at', models.DateTimeField(help_text='What had been stored by then could be in it.')),
                ('token', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='vectors', to='tokens.token')),
                ('schema', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='vectors', to='learning.featureschema')),
                ('values', models.BinaryField(help_text='Little-endian float32, one a slot; NaN where it is missing.')),
                ('reasons', models.BinaryField(default=b'', help_text='Half a byte a slot: why it is missing. Empty when nothing is.')),
            ],
            options={
                'db_table': 'feature_vectors',
                'constraints': [models.CheckConstraint(condition=django.db.models.lookups.Exact(models.F('id'), django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(learning.columns.Epoch(models.F('ts')), '*', models.Value(536870912)), '+', django.db.models.expressions.CombinedExpression(models.F('token_id'), '*', models.Value(32))), '+', models.Value(0))), name='feature_vectors_key'), models.CheckConstraint(condition=models.Q(('stored_at__gte', models.F('ts'))), name='feature_vectors_stored_later')],
            },
        ),
        migrations.CreateModel(
            name='ModelVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60)),
                ('number', models.PositiveIntegerField()),
                ('role', models.CharField(choices=[('champion', 'champion'), ('challenger', 'challenger'), ('retired', 'retired'), ('refused', 'refused')], max_length=12)),
                ('place', models.PositiveSmallIntegerField(default=0, help_text='The slot of its predictions.')),
                ('schema', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='model_versions', to='learning.featureschema')),
                ('horizons', models.JSONField(default=list, help_text='In minutes.')),
                ('trained_from', models.DateTimeField()),
                ('trained_to', models.DateTimeField()),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('file', models.CharField(blank=True, default='', max_length=200)),
                ('file_hash', models.CharField(blank=True, default='', max_length=64)),
                ('settings', models.JSONField(default=dict)),
                ('metrics', models.JSONField(default=dict, help_text='Each with its interval.')),
                ('baselines', models.JSONField(default=dict, help_text='What it had to beat, and whether it did.')),
                ('importances', models.JSONField(default=dict, help_text='By permutation.')),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
                ('stopped_why', models.CharField(blank=True, default='', max_length=300)),
            ],
            options={
                'db_table': 'model_versions',
                'constraints': [models.UniqueConstraint(fields=('name', 'number'), name='model_versions_name_number'), models.UniqueConstraint(condition=models.Q(('role', 'champion')), fields=('role',), name='model_versions_one_champion'), models.UniqueConstraint(condition=models.Q(('role__in', ('champion', 'challenger'))), fields=('place',), name='model_versions_one_a_place'), models.CheckConstraint(condition=models.Q(('role__in', ['champion', 'challenger', 'retired', 'refused'])), name='model_versions_known_role'), models.CheckConstraint(condition=models.Q(('place__gte', 0), ('place__lt', 4)), name='model_versions_known_place'), models.CheckConstraint(condition=models.Q(('trained_to__gte', models.F('trained_from'))), name='model_versions_trained_on_a_time')],
            },
        ),
        learning.partitions.PartitionedModel(
            name='Prediction',
            fields=[
                ('id', models.BigIntegerField(help_text="Made of the moment, the token and the model's place.", primary_key=True, serialize=False)),
                ('ts', models.DateTimeField()),
                ('vector', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='predictions', to='learning.featurevector')),
                ('model', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='predictions', to='learning.modelversion')),
                ('inference_ms', learning.columns.RealField(help_text='Of the whole batch, shared among its rows.')),
                ('return_15m', learning.columns.RealField(blank=True, help_text='0.03 is +3 %.', null=True)),
                ('up_15m', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('flat_15m', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('down_15m', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('risk_15m', learning.columns.RealField(blank=True, help_text='What may be lost.', null=True)),
                ('return_1h', learning.columns.RealField(blank=True, help_text='0.03 is +3 %.', null=True)),
                ('up_1h', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('flat_1h', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('down_1h', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('risk_1h', learning.columns.RealField(blank=True, help_text='What may be lost.', null=True)),
                ('return_4h', learning.columns.RealField(blank=True, help_text='0.03 is +3 %.', null=True)),
                ('up_4h', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('flat_4h', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('down_4h', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('risk_4h', learning.columns.RealField(blank=True, help_text='What may be lost.', null=True)),
                ('return_12h', learning.columns.RealField(blank=True, help_text='0.03 is +3 %.', null=True)),
                ('up_12h', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('flat_12h', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('down_12h', learning.columns.RealField(blank=True, help_text='Probability.', null=True)),
                ('risk_12h', learning.columns.RealField(blank=True, help_text='What may be lost.', null=True)),
                ('raw', models.BinaryField(default=b'', help_text='What the model itself gave out, little-endian float32.')),
            ],
            options={
                'db_table': 'predictions',
                'constraints': [models.CheckConstraint(condition=django.db.models.lookups.Exact(django.db.models.expressions.CombinedExpression(models.F('id'), '>>', models.Value(29)), learning.columns.Epoch(models.F('ts'))), name='predictions_key'), models.CheckConstraint(condition=django.db.models.lookups.Exact(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('id'), '>>', models.Value(5)), '*', models.Value(32)), django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('vector_id'), '>>', models.Value(5)), '*', models.Value(32))), name='predictions_of_their_vector')],
            },
        ),
        learning.partitions.PartitionedModel(
            name='Signal',
            fields=[
                ('id', models.BigIntegerField(help_text='Made of the moment, the token and the source.', primary_key=True, serialize=False)),
                ('ts', models.DateTimeField()),
                ('stored_at', models.DateTimeField()),
                ('token', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signals', to='tokens.token')),
                ('vector', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signals', to='learning.featurevector')),
                ('settings', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='signals', to='scoring.scoringsettings')),
                ('token_score', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signals', to='scoring.tokenscore')),
                ('prediction', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signals', to='learning.prediction')),
                ('price', models.FloatField(help_text='At the decision, in US dollars.')),
                ('strength', models.FloatField(blank=True, help_text='The number it was: the score, the score of Stage 2, the expected return.', null=True)),
                ('confidence', models.FloatField(blank=True, help_text='A probability; blank where it is none.', null=True)),
                ('cost', learning.columns.RealField(help_text='Of buying and selling, as a share: what net outcomes have paid.')),
                ('source', models.CharField(choices=[('score', 'score'), ('stage2', 'Stage 2'), ('model', 'model')], max_length=6)),
                ('direction', models.CharField(choices=[('up', 'up'), ('down', 'down'), ('none', 'none')], max_length=4)),
            ],
            options={
                'db_table': 'signals',
                'constraints': [models.CheckConstraint(condition=django.db.models.lookups.Exact(models.F('id'), django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(learning.columns.Epoch(models.F('ts')), '*', models.Value(536870912)), '+', django.db.models.expressions.CombinedExpression(models.F('token_id'), '*', models.Value(32))), '+', models.Case(models.When(source='score', then=models.Value(0)), models.When(source='stage2', then=models.Value(1)), models.When(source='model', then=models.Value(2)), output_field=models.BigIntegerField()))), name='signals_key'), models.CheckConstraint(condition=django.db.models.lookups.Exact(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('id'), '>>', models.Value(5)), '*', models.Value(32)), django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('vector_id'), '>>', models.Value(5)), '*', models.Value(32))), name='signals_of_their_vector'), models.CheckConstraint(condition=models.Q(models.Q(('prediction__isnull', True), ('source', 'score'), ('token_score__isnull', False)), models.Q(('prediction__isnull', True), ('source', 'stage2'), ('token_score__isnull', True)), models.Q(('prediction__isnull', False), ('source', 'model'), ('token_score__isnull', True)), _connector='OR'), name='signals_based_on_what_made_them'), models.CheckConstraint(condition=models.Q(('direction__in', ['up', 'down', 'none'])), name='signals_known_direction'), models.CheckConstraint(condition=models.Q(('price__gt', 0), ('price__lte', 1e+18)), name='signals_price_is_a_price'), models.CheckConstraint(condition=models.Q(('confidence__isnull', True), models.Q(('confidence__gte', 0), ('confidence__lte', 1)), _connector='OR'), name='signals_confidence_share'), models.CheckConstraint(condition=models.Q(('cost__gte', 0), ('cost__lte', 1)), name='signals_cost_share'), models.CheckConstraint(condition=models.Q(('strength__isnull', True), models.Q(('strength__gte', -1e+18), ('strength__lte', 1e+18)), _connector='OR'), name='signals_finite')],
            },
        ),
        learning.partitions.PartitionedModel(
            name='Outcome',
            fields=[
                ('id', models.BigIntegerField(help_text='Made of the moment, the token, what it is of, and the horizon.', primary_key=True, serialize=False)),
                ('settled_at', models.DateTimeField()),
                ('signal', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='learning.signal')),
                ('prediction', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='learning.prediction')),
                ('price', models.FloatField(blank=True, help_text='The last one seen before the horizon ended; blank if none after the decision.', null=True)),
                ('gross', models.FloatField(blank=True, help_text='The return before costs: 0.03 is +3 %.', null=True)),
                ('net', models.FloatField(blank=True, help_text='After the costs of buying and selling.', null=True)),
                ('best', models.FloatField(blank=True, help_text='The highest return on the way; blank where we were blind for a while.', null=True)),
                ('worst', models.FloatField(blank=True, help_text='The lowest return on the way; blank where we were blind for a while.', null=True)),
                ('best_sec', models.IntegerField(blank=True, help_text='Seconds until then.', null=True)),
                ('worst_sec', models.IntegerField(blank=True, help_text='Seconds until then.', null=True)),
                ('horizon_min', models.SmallIntegerField(help_text='15, 60, 240 or 720.')),
                ('state', models.CharField(choices=[('priced', 'priced'), ('dead', 'dead: no fresh price came'), ('unknown', 'unknown: we did not look')], max_length=7)),
            ],
            options={
                'db_table': 'outcomes',
                'constraints': [models.CheckConstraint(condition=models.Q(('horizon_min__in', (15, 60, 240, 720))), name='outcomes_known_horizon'), models.CheckConstraint(condition=models.Q(('state__in', ['priced', 'dead', 'unknown'])), name='outcomes_known_state'), models.CheckConstraint(condition=models.Q(models.Q(('prediction__isnull', True), ('signal__isnull', False)), models.Q(('prediction__isnull', False), ('signal__isnull', True)), _connector='OR'), name='outcomes_of_one_thing'), models.CheckConstraint(condition=django.db.models.lookups.Exact(models.F('id'), django.db.models.functions.comparison.Coalesce(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('signal_id'), '>>', models.Value(5)), '*', models.Value(32)), '+', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('signal_id'), '&', models.Value(3)), '*', models.Value(4))), '+', models.Value(0)), '+', models.Case(models.When(horizon_min=15, then=models.Value(0)), models.When(horizon_min=60, then=models.Value(1)), models.When(horizon_min=240, then=models.Value(2)), models.When(horizon_min=720, then=models.Value(3)), output_field=models.BigIntegerField())), django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('prediction_id'), '>>', models.Value(5)), '*', models.Value(32)), '+', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('prediction_id'), '&', models.Value(3)), '*', models.Value(4))), '+', models.Value(16)), '+', models.Case(models.When(horizon_min=15, then=models.Value(0)), models.When(horizon_min=60, then=models.Value(1)), models.When(horizon_min=240, then=models.Value(2)), models.When(horizon_min=720, then=models.Value(3)), output_field=models.BigIntegerField())))), name='outcomes_key'), models.CheckConstraint(condition=django.db.models.lookups.GreaterThanOrEqual(learning.columns.Epoch(models.F('settled_at')), django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('id'), '>>', models.Value(29)), '+', django.db.models.expressions.CombinedExpression(models.F('horizon_min'), '*', models.Value(60)))), name='outcomes_never_early'), models.CheckConstraint(condition=models.Q(models.Q(('best__isnull', True), ('gross__isnull', True), ('net__isnull', True), ('state', 'unknown'), ('worst__isnull', True)), models.Q(('gross__isnull', False), ('net__isnull', False), ('state__in', ('priced', 'dead'))), _connector='OR'), name='outcomes_numbers_unless_unknown'), models.CheckConstraint(condition=models.Q(models.Q(('price__isnull', True), models.Q(('price__gte', -1e+18), ('price__lte', 1e+18)), _connector='OR'), models.Q(('gross__isnull', True), models.Q(('gross__gte', -1e+18), ('gross__lte', 1e+18)), _connector='OR'), models.Q(('net__isnull', True), models.Q(('net__gte', -1e+18), ('net__lte', 1e+18)), _connector='OR'), models.Q(('best__isnull', True), models.Q(('best__gte', -1e+18), ('best__lte', 1e+18)), _connector='OR'), models.Q(('worst__isnull', True), models.Q(('worst__gte', -1e+18), ('worst__lte', 1e+18)), _connector='OR')), name='outcomes_finite')],
            },
        ),
        migrations.CreateModel(
            name='Settled',
            fields=[
                ('horizon_min', models.SmallIntegerField(primary_key=True, serialize=False)),
                ('until', models.BigIntegerField(default=0, help_text='A key.')),
            ],
            options={
                'db_table': 'evidence_settled',
            },
        ),
    ]
