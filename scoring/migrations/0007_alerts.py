import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import scoring.alert_rows
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '__first__'),
        ('scoring', '0006_duels'),
        ('tokens', '0002_bars'),
    ]

    operations = [
        migrations.CreateModel(
            name='ScoreHealth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ts', models.DateTimeField(unique=True)),
                ('revision', models.BigIntegerField(help_text='The settings in force.')),
                ('tokens', models.PositiveIntegerField()),
                ('scored', models.PositiveIntegerField()),
                ('median', models.FloatField(null=True)),
                ('spread', models.FloatField(help_text='Between the quartiles.', null=True)),
                ('identical', models.FloatField()),
                ('missing', models.JSONField(help_text='Share of the tokens, by metric.')),
                ('capped', models.FloatField()),
                ('estimated', models.JSONField(help_text='Share of the tokens, by metric.')),
                ('odd', models.CharField(blank=True, default='', help_text='What was odd about this one look.', max_length=400)),
                ('suspicious', models.BooleanField(default=False, help_text='Odd twice in a row.')),
            ],
            options={
                'db_table': 'score_health',
            },
        ),
        migrations.CreateModel(
            name='AlertChannel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='How rules and the log call it: “my phone”.', max_length=80, unique=True)),
                ('kind', models.CharField(choices=[('telegram', 'Telegram'), ('discord', 'Discord'), ('webhook', 'any web address (signed)')], default='telegram', max_length=10)),
                ('enabled', models.BooleanField(default=True, help_text='Off: nothing is sent here; the log says what would have been.')),
                ('chat_id', models.CharField(blank=True, default='', help_text="The chat's number, like -1001234567890, or a public channel's @name.", max_length=40)),
                ('bot_token', models.CharField(blank=True, default='', help_text='What BotFather gave, like 123456789:AAF…', max_length=120)),
                ('webhook_url', models.CharField(blank=True, default='', help_text='Discord: channel settings, Integrations, Webhooks, Copy URL. Else where your program listens: https://…, or http:// on this machine or in its own network. Redirects are not followed.', max_length=500, verbose_name='webhook address')),
                ('signing_secret', models.CharField(blank=True, default='', help_text='16 characters or more that only your program and this page know.', max_length=200)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('author', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'alert_channels',
                'constraints': [models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='alert_channels_name_not_blank'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'telegram'), models.Q(('bot_token', ''), _negated=True), models.Q(('chat_id', ''), _negated=True), ('signing_secret', ''), ('webhook_url', '')), models.Q(('kind', 'discord'), ('webhook_url__startswith', 'http'), ('bot_token', ''), ('chat_id', ''), ('signing_secret', '')), models.Q(('kind', 'webhook'), ('webhook_url__startswith', 'http'), models.Q(('signing_secret', ''), _negated=True), ('bot_token', ''), ('chat_id', '')), _connector='OR'), name='alert_channels_complete')],
            },
        ),
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Stands above each alert: “hot token”.', max_length=80, unique=True)),
                ('enabled', models.BooleanField(default=True, help_text='Off: nothing is watched. Switched on again, it first learns what is so already.')),
                ('kind', models.CharField(choices=[('score', "A token's score crosses a level"), ('figure', 'One figure of a token goes beyond a value'), ('status', "A token's status changes"), ('feed', 'The feed of new tokens is silent'), ('budget', 'The Birdeye budget is low'), ('health', 'The scores themselves look wrong')], default='score', max_length=20)),
                ('figure', models.CharField(blank=True, choices=[('tx_accel', 'Transaction acceleration'), ('vol_momentum', 'Volume momentum'), ('holder_growth', 'Holder growth'), ('orderflow_imbalance', 'Order-flow imbalance'), ('tx_count_5m', 'Transactions in 5 minutes'), ('tx_count_1h', 'Transactions in 1 hour'), ('volume_5m', 'Volume in 5 minutes'), ('volume_1h', 'Volume in 1 hour'), ('liquidity', 'Liquidity'), ('holders', 'Holders')], default='', help_text='Which figure.', max_length=30)),
                ('rising', models.BooleanField(choices=[(True, 'rises to the level or over it'), (False, 'falls to the level or under it')], default=True)),
                ('level', models.FloatField(blank=True, help_text="A score, a figure, minutes of silence, or per cent of the month's budget that are left.", null=True, validators=[django.core.validators.MinValueValidator(-1e+18), django.core.validators.MaxValueValidator(1e+18)])),
                ('band', models.FloatField(default=0.0, help_text='How far it must come back before it can alert again, so that a value dancing on the level is one alert. Typical: a tenth of it.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1e+18)])),
                ('old_status', models.CharField(blank=True, choices=[('Initial', 'Initial'), ('Active', 'Active'), ('Archived', 'Archived')], default='', help_text='Blank: from any.', max_length=16)),
                ('new_status', models.CharField(blank=True, choices=[('Initial', 'Initial'), ('Active', 'Active'), ('Archived', 'Archived')], default='', help_text='Blank: to any.', max_length=16)),
                ('only_active', models.BooleanField(default=True, help_text='Only tokens that are Active. Off: Initial ones too.')),
                ('min_liquidity', models.FloatField(blank=True, help_text='US dollars: only tokens with at least this liquidity. Blank: all.', null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1e+18)])),
                ('max_age_hours', models.FloatField(blank=True, help_text='Only tokens that migrated at most so long ago. Blank: all.', null=True, validators=[django.core.validators.MinValueValidator(0.01), django.core.validators.MaxValueValidator(8760)])),
                ('cooldown_minutes', models.IntegerField(default=30, help_text='After an alert, the same token is not told again for so long. Typical: 30.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(10080)])),
                ('an_hour', models.IntegerField(default=20, help_text='Of this rule, over all tokens. What is beyond is logged and not sent. Typical: 20.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000)], verbose_name='alerts an hour at most')),
                ('quiet_from', models.TimeField(blank=True, help_text='Nothing is sent from here…', null=True)),
                ('quiet_to', models.TimeField(blank=True, help_text='…to here, over midnight too. The log says what was withheld.', null=True)),
                ('quiet_zone', models.CharField(default='UTC', help_text='Of the quiet hours, like Europe/Kyiv.', max_length=60, verbose_name='time zone')),
                ('critical', models.BooleanField(default=False, help_text='Sent in quiet hours too: for what must wake somebody.')),
                ('learned', models.CharField(blank=True, default='', editable=False, help_text='For which wording its states hold.', max_length=64)),
                ('learned_at', models.DateTimeField(blank=True, editable=False, help_text='What happened before is not told.', null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('channels', models.ManyToManyField(blank=True, help_text='Without a channel the log alone is told.', related_name='rules', to='scoring.alertchannel')),
            ],
            options={
                'db_table': 'alert_rules',
                'constraints': [models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='alert_rules_name_not_blank'), models.CheckConstraint(condition=models.Q(('kind__in', ['score', 'figure', 'status', 'feed', 'budget', 'health'])), name='alert_rules_known_kind'), models.CheckConstraint(condition=models.Q(('level__isnull', False), models.Q(('kind__in', ['score', 'figure', 'feed', 'budget']), _negated=True), _connector='OR'), name='alert_rules_has_level'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'figure'), _negated=True), ('figure__in', ['tx_accel', 'vol_momentum', 'holder_growth', 'orderflow_imbalance', 'tx_count_5m', 'tx_count_1h', 'volume_5m', 'volume_1h', 'liquidity', 'holders']), _connector='OR'), name='alert_rules_has_figure'), models.CheckConstraint(condition=models.Q(('new_status__in', ['', 'Initial', 'Active', 'Archived']), ('old_status__in', ['', 'Initial', 'Active', 'Archived'])), name='alert_rules_known_statuses'), models.CheckConstraint(condition=models.Q(models.Q(('old_status', models.F('new_status')), _negated=True), ('old_status', ''), _connector='OR'), name='alert_rules_a_change'), models.CheckConstraint(condition=models.Q(models.Q(('quiet_from__isnull', True), ('quiet_to__isnull', True)), models.Q(('quiet_from__isnull', False), ('quiet_to__isnull', False), models.Q(('quiet_from', models.F('quiet_to')), _negated=True)), _connector='OR'), name='alert_rules_quiet_whole'), models.CheckConstraint(condition=models.Q(('level__isnull', True), models.Q(('level__gte', -1e+18), ('level__lte', 1e+18)), _connector='OR'), name='alert_rules_level'), models.CheckConstraint(condition=models.Q(('band__isnull', True), models.Q(('band__gte', 0), ('band__lte', 1e+18)), _connector='OR'), name='alert_rules_band'), models.CheckConstraint(condition=models.Q(('min_liquidity__isnull', True), models.Q(('min_liquidity__gte', 0), ('min_liquidity__lte', 1e+18)), _connector='OR'), name='alert_rules_min_liquidity'), models.CheckConstraint(condition=models.Q(('max_age_hours__isnull', True), models.Q(('max_age_hours__gte', 0.01), ('max_age_hours__lte', 8760)), _connector='OR'), name='alert_rules_max_age_hours'), models.CheckConstraint(condition=models.Q(('cooldown_minutes__isnull', True), models.Q(('cooldown_minutes__gte', 0), ('cooldown_minutes__lte', 10080)), _connector='OR'), name='alert_rules_cooldown_minutes'), models.CheckConstraint(condition=models.Q(('an_hour__isnull', True), models.Q(('an_hour__gte', 1), ('an_hour__lte', 1000)), _connector='OR'), name='alert_rules_an_hour')],
            },
        ),
        migrations.CreateModel(
            name='AlertDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.CharField(default=scoring.alert_rows.new_uid, editable=False, help_text='Of the alert: the same in all channels, however often it is sent.', max_length=36)),
                ('rule_name', models.CharField(max_length=80)),
                ('channel_name', models.CharField(blank=True, default='', max_length=80)),
                ('kind', models.CharField(max_length=20)),
                ('sentence', models.CharField(max_length=400)),
                ('numbers', models.JSONField(default=dict, help_text='The figures that were the cause.')),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('sending', 'being sent'), ('sent', 'sent'), ('gave_up', 'given up'), ('held', 'held back')], default='waiting', max_length=10)),
                ('outcome', models.CharField(blank=True, default='', help_text='What came back, or why it was held back.', max_length=400)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('test', models.BooleanField(default=False)),
                ('channel', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='deliveries', to='scoring.alertchannel')),
                ('token', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='alerts', to='tokens.token')),
                ('rule', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='deliveries', to='scoring.alertrule')),
            ],
            options={
                'verbose_name_plural': 'alert deliveries',
                'db_table': 'alert_deliveries',
                'indexes': [models.Index(condition=models.Q(('state__in', ['waiting', 'sending'])), fields=['due_at'], name='alert_deliveries_due'), models.Index(fields=['-made_at'], name='alert_deliveries_made'), models.Index(fields=['rule', '-made_at'], name='alert_deliveries_rule')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'sending', 'sent', 'gave_up', 'held'])), name='alert_deliveries_known_state')],
            },
        ),
        migrations.CreateModel(
            name='AlertState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.SmallIntegerField(help_text='0: not beyond the level, 1: beyond it.')),
                ('revision', models.BigIntegerField(help_text='The settings that made the score it was seen with.', null=True)),
                ('mark', models.BigIntegerField(default=0, help_text='The newest event of this token that was looked at.')),
                ('sent_at', models.DateTimeField(help_text='When this was last told; the cool-down counts from here.', null=True)),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='states', to='scoring.alertrule')),
                ('token', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tokens.token')),
            ],
            options={
                'db_table': 'alert_states',
                'constraints': [models.UniqueConstraint(fields=('rule', 'token'), name='alert_states_rule_token'), models.UniqueConstraint(condition=models.Q(('token__isnull', True)), fields=('rule',), name='alert_states_rule_system'), models.CheckConstraint(condition=models.Q(('state__in', (-1, 0, 1))), name='alert_states_known')],
            },
        ),
    ]
