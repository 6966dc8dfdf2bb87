import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0001_initial'),
        ('tokens', '0002_bars'),
    ]

    operations = [
        migrations.CreateModel(
            name='WatchedSymbol',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('symbol', models.CharField(help_text='As Binance writes it, against a dollar coin: BTCUSDT.', max_length=30, unique=True, validators=[django.core.validators.RegexValidator('^[A-Z0-9]{2,30}\\Z', 'Write the symbol as Binance does, in capitals: BTCUSDT.')])),
                ('watched', models.BooleanField(default=True, help_text='Off: no longer asked about; what is stored stays.')),
                ('added_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('obstacle', models.CharField(blank=True, default='', editable=False, help_text='What Binance says against it.', max_length=200)),
                ('tick_size', models.FloatField(blank=True, editable=False, help_text='The smallest step of its price.', null=True)),
                ('volume_24h', models.FloatField(blank=True, editable=False, help_text='US dollars.', null=True)),
                ('change_24h', models.FloatField(blank=True, editable=False, help_text='0.03 is +3 %.', null=True)),
                ('depth', models.FloatField(blank=True, editable=False, help_text='US dollars within 2 % of the price, the thinner side.', null=True)),
                ('open_interest', models.FloatField(blank=True, editable=False, help_text='US dollars; blank where there are no futures.', null=True)),
                ('figures_at', models.DateTimeField(blank=True, editable=False, help_text='When these were read.', null=True)),
                ('filled_from', models.DateTimeField(blank=True, editable=False, help_text='How far back its bars of one minute reach.', null=True)),
                ('token', models.OneToOneField(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='watched_symbol', to='tokens.token')),
            ],
            options={
                'db_table': 'watched_symbols',
                'constraints': [models.CheckConstraint(condition=models.Q(('symbol', ''), _negated=True), name='watched_symbols_symbol_not_blank'), models.CheckConstraint(condition=models.Q(('tick_size__isnull', True), models.Q(('tick_size__gte', 0), ('tick_size__lte', 1e+18)), _connector='OR'), name='watched_symbols_tick_size_sane'), models.CheckConstraint(condition=models.Q(('volume_24h__isnull', True), models.Q(('volume_24h__gte', 0), ('volume_24h__lte', 1e+18)), _connector='OR'), name='watched_symbols_volume_24h_sane'), models.CheckConstraint(condition=models.Q(('depth__isnull', True), models.Q(('depth__gte', 0), ('depth__lte', 1e+18)), _connector='OR'), name='watched_symbols_depth_sane'), models.CheckConstraint(condition=models.Q(('open_interest__isnull', True), models.Q(('open_interest__gte', 0), ('open_interest__lte', 1e+18)), _connector='OR'), name='watched_symbols_open_interest_sane')],
            },
        ),
    ]
