from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"
    verbose_name = "Trading (paper)"

    def ready(self) -> None:
        from learning.passport import PARTS
        from learning.verdict_rows import TAGS
        from scoring.stage_columns import CHECKS_OF_OVERRIDES, STAGE_PREVIEWS
        from trading.evidence_tags import tags
        from trading.passport import part
        from trading.thresholds import overrides_problems
        from trading.whatif import preview

        if overrides_problems not in CHECKS_OF_OVERRIDES:
            CHECKS_OF_OVERRIDES.append(overrides_problems)
        if preview not in STAGE_PREVIEWS:
            STAGE_PREVIEWS.append(preview)
        if tags not in TAGS:
            TAGS.append(tags)
        if part not in PARTS:
            PARTS.append(part)
