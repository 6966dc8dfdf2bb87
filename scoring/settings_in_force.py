"""The revision that workers go by. A broken table does not stop them: they keep the last good revision and say so."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ingestion.turns import SLOWEST, Pace
from scoring import score_models
from scoring.metrics import Formula
from scoring.models import DegradeMode, ScoringSettings
from scoring.revisions import WEIGHTS
from tokens.status_rule import Rule

logger = logging.getLogger(__name__)


class NoSettings(RuntimeError):
    """No revision is active and none was in force before: run `manage.py migrate`, or save the settings in the admin."""


@dataclass
class _LastGood:
    revision: ScoringSettings | None = None


_last_good = _LastGood()


def active_settings() -> ScoringSettings:
    """The active revision, read now. Where the table is broken: the last good one, with an error in the log."""
    revision, trouble = _read()
    if revision is not None:
        _last_good.revision = revision
        return revision
    logger.error("settings table broken, going on with the last good revision: %s", trouble)
    return _fall_back(trouble)


def settings_trouble() -> str:
    """What is wrong with the settings table, in a sentence; empty while all is well. For /health and the admin."""
    return _read()[1]


def sound_or_trouble() -> tuple[ScoringSettings | None, str]:
    """The active revision, or what is wrong with the table, in one query; falls back on nothing and writes nothing."""
    return _read()


def _read() -> tuple[ScoringSettings | None, str]:
    found = list(ScoringSettings.objects.filter(active=True)[:2])
    if len(found) != 1:
        return None, "No settings revision is active." if not found else "More than one settings revision is active."
    try:
        found[0].clean_fields(exclude=("author", "based_on"))  # the database itself holds what a row points to
    except ValidationError as error:
        return None, f"Settings revision #{found[0].pk} holds values that are refused: {', '.join(error.message_dict)}."
    return found[0], ""


def _fall_back(trouble: str) -> ScoringSettings:
    """The one in memory; after a restart, the newest sound one. If its row is gone it is put back: a score must name its revision."""
    remembered = _last_good.revision
    if remembered is None:
        saved = ScoringSettings.objects.once_in_force().order_by("-pk")
        remembered = next((revision for revision in saved[:20] if _sound(revision)), None)
    if remembered is None:
        raise NoSettings(trouble)
    if not ScoringSettings.objects.filter(pk=remembered.pk).exists():
        _put_back(remembered)
    _last_good.revision = remembered
    return remembered


def _sound(revision: ScoringSettings) -> bool:
    try:
        revision.clean_fields()
    except ValidationError:
        return False
    return True


def _put_back(revision: ScoringSettings) -> None:
    revision.active = not ScoringSettings.objects.filter(active=True).exists()
    if revision.based_on_id is not None and not ScoringSettings.objects.filter(pk=revision.based_on_id).exists():
        revision.based_on = None
    try:
        with transaction.atomic():
            revision.save_base(force_insert=True)
    except IntegrityError:  # another process was quicker
        logger.warning("settings revision %s was put back by another process", revision.pk)


def interval_sec(revision: ScoringSettings, status: str) -> float:
    """Seconds between polls of a token of `status` while all is well: the operator's number, else the environment's."""
    if status == "Active":
        return float(revision.interval_active_sec or django_settings.SCHED_INTERVAL_ACTIVE_SEC)
    return float(revision.interval_initial_sec or django_settings.SCHED_INTERVAL_INITIAL_SEC)


def status_rule(revision: ScoringSettings) -> Rule:
    """The revision as the status rule needs it."""
    return Rule(
        min_tx_count=revision.min_tx_count,
        activation_tx_margin=revision.activation_tx_margin,
        min_active_liquidity=revision.min_active_liquidity,
        min_score_keep_active=revision.min_score_keep_active,
        degrade_checks=revision.degrade_checks,
        degrade_window_sec=revision.degrade_window_hours * 3600,
        degrade_both=revision.degrade_mode == DegradeMode.BOTH,
        initial_timeout_sec=revision.initial_timeout_hours * 3600,
        freshness_limit_sec=revision.freshness_limit_sec,
        interval_active_sec=interval_sec(revision, "Active"),
        interval_initial_sec=interval_sec(revision, "Initial"),
        initial_young_sec=revision.initial_young_minutes * 60,
        initial_slowest=SLOWEST,
    )


def formula(revision: ScoringSettings) -> Formula:
    """The revision as the arithmetic needs it."""
    return Formula(
        model=score_models.load(revision.score_model),
        weights=tuple(getattr(revision, name) for name in WEIGHTS),
        alpha=revision.ewma_alpha,
        freshness_limit_sec=revision.freshness_limit_sec,
        holders_freshness_sec=revision.holders_freshness_sec,
    )


def pace(revision: ScoringSettings, status: str) -> Pace:
    """The revision as the polling of one status needs it."""
    return Pace(
        interval_sec=interval_sec(revision, status),
        young_minutes=revision.initial_young_minutes,
        freshness_limit_sec=revision.freshness_limit_sec,
        holders_freshness_sec=revision.holders_freshness_sec,
        min_tx_count=revision.min_tx_count,
        min_active_liquidity=revision.min_active_liquidity,
    )
