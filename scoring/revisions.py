"""How settings change: never in place, always by a new revision that names the one it was made from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction

from scoring.score_models import REGISTRY
from scoring.stage_parameters import IN_ORDER

WEIGHTS = ("weight_tx_accel", "weight_vol_momentum", "weight_holder_growth", "weight_orderflow_imbalance")
NOT_SETTINGS = ("id", "active", "author", "note", "created_at", "based_on", "preset", "set_aside")
MOST_DEXES = 20
_DEX = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", re.ASCII)
_PLAIN_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)


class Overtaken(Exception):
    """Somebody else saved a revision since this change was begun; `present` is what is in force now."""

    def __init__(self, present: Any) -> None:
        super().__init__(f"Revision #{present.pk} was saved meanwhile. Look at what it changed, then save again.")
        self.present = present


class RevisionQuerySet(models.QuerySet[Any]):
    def in_force(self) -> Any:
        """The one active revision; DoesNotExist or MultipleObjectsReturned where the table is broken."""
        return self.get(active=True)

    def revise(self, changes: Mapping[str, Any], author: Any, note: str, based_on: int | None = None) -> Any:
        """Make a new active revision: the present one with `changes`. Two at once become two revisions, one after the other.

        `based_on` is the revision the author was looking at; if it is not in force any more, Overtaken is raised and nothing is saved.
        Raises ValidationError, by field, for values that are refused. Returns the new revision.
        """
        self._only_settings(changes)
        with transaction.atomic(using=self.db):
            # The oldest revision is the turnstile: whoever waits here reads afterwards what the one before him has saved.
            list(self.select_for_update().order_by("pk").values_list("pk")[:1])
            present = self._present()
            if based_on is not None and present is not None and present.pk != based_on:
                raise Overtaken(present)
            self.filter(active=True).update(active=False)
            return self._made_from(present, changes, author=author, note=note, active=True)

    def set_aside(self, changes: Mapping[str, Any], author: Any, note: str) -> Any:
        """A revision like one that `revise` makes, which is kept without being put in force: for a duel, or for later."""
        self._only_settings(changes)
        return self._made_from(self._present(), changes, author=author, note=note, active=False, set_aside=True)

    def once_in_force(self) -> RevisionQuerySet:
        """Revisions that somebody has put in force: no presets, and none that was only set aside."""
        return self.filter(preset="", set_aside=False)

    def _present(self) -> Any:
        return self.filter(active=True).first() or self.once_in_force().order_by("-pk").first()

    def _only_settings(self, changes: Mapping[str, Any]) -> None:
        unknown = set(changes) - {field.name for field in self.model._meta.concrete_fields} | set(changes) & set(NOT_SETTINGS)
        if unknown:
            raise ValueError(f"not a setting: {', '.join(sorted(unknown))}")

    def _made_from(self, present: Any, changes: Mapping[str, Any], **about: Any) -> Any:
        names = [field.name for field in self.model._meta.concrete_fields if field.name not in NOT_SETTINGS]
        values = {name: getattr(present, name) for name in names} if present is not None else {}
        revision = self.model(**{**values, **changes}, based_on=present, **about)
        revision.full_clean()
        revision.save(force_insert=True, using=self.db)
        return revision


def written(value: Any) -> str:
    """A stored value as a person would have typed it: 500, not 500.0; what has parts as JSON."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def not_a_plain_number(value: Any, whole: bool) -> str:
    """Why `value` is no number that a setting could have; empty for one that is. Django's own fields let some of these through."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return "Enter a number."
    if isinstance(value, str) and not _PLAIN_NUMBER.fullmatch(value.strip()):
        return "Enter a number in plain digits, with a point before decimals."
    if (isinstance(value, Decimal) and not value.is_finite()) or (isinstance(value, int) and abs(value) > 10**20):
        return "Enter a finite number."
    number = float(value)
    if not isfinite(number):
        return "Enter a finite number."
    if number == 0 and isinstance(value, str | Decimal) and Decimal(value) != 0:
        return "This is so small that it would be read as 0: enter 0, or a number that can be told from it."
    return "Enter a whole number." if whole and number != int(number) else ""


def dexes(text: str) -> list[str]:
    """The names in a list separated by commas, in small letters, each once."""
    return list(dict.fromkeys(name.strip().casefold() for name in text.split(",") if name.strip()))


def names_of_dexes(text: str) -> None:
    """A validator: raises ValidationError for what is no list of names."""
    found = dexes(text)
    if len(found) > MOST_DEXES or not all(_DEX.fullmatch(name) for name in found):
        raise ValidationError(f"Enter at most {MOST_DEXES} names of exchanges, separated by commas: pumpswap, raydium.", code="not_dexes")


# Rules across fields. Each gets a revision whose single fields are sound, and names the field to mend and the sentence to show.


def _some_weight(revision: Any) -> tuple[str, str] | None:
    if sum(getattr(revision, name) for name in WEIGHTS) <= 0:
        return WEIGHTS[0], "At least one of the four weights must be above 0: nothing would be scored."
    return None


def _score_in_reach(revision: Any) -> tuple[str, str] | None:
    model = REGISTRY[revision.score_model]
    total = 1.0 if model.weights_matter_in_proportion else sum(getattr(revision, name) for name in WEIGHTS)
    lowest, highest = model.lowest * total, model.highest * total
    if not lowest <= revision.min_score_keep_active < highest:
        return "min_score_keep_active", f"With this model and these weights a score lies between {lowest:g} and {highest:g}."
    return None


def _export_in_reach(revision: Any) -> tuple[str, str] | None:
    model = REGISTRY[revision.score_model]
    highest = model.highest * (1.0 if model.weights_matter_in_proportion else sum(getattr(revision, name) for name in WEIGHTS))
    if revision.export_min_score >= highest:
        return "export_min_score", f"With this model and these weights no score is above {highest:g}: the ranking would stay empty."
    return None


def _export_for_an_interval(revision: Any) -> tuple[str, str] | None:
    if revision.export_max_age_sec < revision.interval_active_sec:
        return "export_max_age_sec", "Shorter than interval_active_sec: the ranking would be refused before the next tick comes."
    return None


def _checks_fit_the_window(revision: Any) -> tuple[str, str] | None:
    hours = (revision.degrade_checks - 1) * revision.interval_active_sec / 3600
    if hours > revision.degrade_window_hours:
        return "degrade_window_hours", f"{revision.degrade_checks} checks take {hours:g} hours: no token could ever be archived."
    return None


def _fresh_for_an_interval(revision: Any) -> tuple[str, str] | None:
    if revision.freshness_limit_sec < revision.interval_active_sec:
        return "freshness_limit_sec", "Shorter than interval_active_sec: every figure would be stale before the next one comes."
    return None


def _holders_outlive_the_rest(revision: Any) -> tuple[str, str] | None:
    if revision.holders_freshness_sec < revision.freshness_limit_sec:
        return "holders_freshness_sec", "Shorter than freshness_limit_sec: holders change more slowly than everything else."
    return None


def _activation_in_reach(revision: Any) -> tuple[str, str] | None:
    if revision.min_tx_count + revision.activation_tx_margin > 1_000_000:
        return "activation_tx_margin", "Together with min_tx_count above 1,000,000 transactions in 5 minutes: no token has these."
    return None


def _stages_in_order(revision: Any) -> tuple[str, str] | None:
    for lower, upper in IN_ORDER:
        if getattr(revision, upper) < getattr(revision, lower):
            return upper, f"Below {lower}: the two are crossed."
    return None


RULES: tuple[Callable[[Any], tuple[str, str] | None], ...] = (
    _some_weight,
    _score_in_reach,
    _checks_fit_the_window,
    _fresh_for_an_interval,
    _holders_outlive_the_rest,
    _activation_in_reach,
    _export_in_reach,
    _export_for_an_interval,
    _stages_in_order,
)


def check_rules(revision: Any) -> None:
    """Raise ValidationError with a sentence for each rule across fields that `revision` breaks."""
    broken = [found for found in (rule(revision) for rule in RULES) if found]
    if broken:
        raise ValidationError(dict(reversed(broken)))
