from typing import Any

from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"
    verbose_name = "Trading (paper)"

    def ready(self) -> None:
        from learning.from_above import PARTS, TAGS
        from scoring.stage_columns import CHECKS_OF_OVERRIDES, STAGE_PREVIEWS
        from tokens.later import Later

        asked: tuple[tuple[list[Any], str], ...] = (
            (CHECKS_OF_OVERRIDES, "trading.thresholds.overrides_problems"),
            (STAGE_PREVIEWS, "trading.whatif.preview"),
            (TAGS, "trading.evidence_tags.tags"),
            (PARTS, "trading.passport.part"),
        )
        for asking, name in asked:
            if Later(name) not in asking:
                asking.append(Later(name))
