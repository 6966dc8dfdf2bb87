from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="skippedsignal",
            name="reason",
            field=models.CharField(
                choices=[
                    ("gated", "gated"),
                    ("side_not_allowed", "side not allowed"),
                    ("no_levels", "no levels"),
                    ("low_confidence", "low confidence"),
                    ("token_open", "token open"),
                    ("cooling_down", "cooling down"),
                    ("token_limit", "token limit"),
                    ("no_slot", "no slot"),
                    ("no_price", "no price"),
                    ("price_moved", "price moved"),
                    ("too_small", "too small"),
                    ("no_cash", "no cash"),
                    ("too_late", "too late"),
                ],
                max_length=20,
            ),
        ),
    ]
