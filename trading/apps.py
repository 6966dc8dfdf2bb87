from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"
    verbose_name = "Trading (paper)"

    def ready(self) -> None:
        from scoring.stage_columns import CHECKS_OF_OVERRIDES
        from trading.thresholds import overrides_problems

        if overrides_problems not in CHECKS_OF_OVERRIDES:
            CHECKS_OF_OVERRIDES.append(overrides_problems)
