"""What the console shows, in a terminal."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from scoring.admin import SETTINGS
from scoring.console import allowance
from scoring.history import History
from scoring.models import AlertRule, ScoringSettings
from scoring.preview import Preview, Side, compare
from scoring.settings_in_force import active_settings
from scoring.whatif import draft_of, replay
from tokens.models import Token
from tokens.templatetags.figures import short


class Command(BaseCommand):
    help = "Replay the stored hours with changed settings and say what would have been different. Nothing is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the draft; may be given again")
        parser.add_argument("--hours", type=float, default=None, metavar="H", help="how far back; default: as far as the retention")
        parser.add_argument("--json", action="store_true", help="print the whole answer as JSON and nothing else")

    def handle(self, *_: Any, set: list[str], hours: float | None, json: bool, **__: Any) -> None:
        if hours is not None and not 0 < hours <= 8760:
            raise CommandError("--hours: a number above 0, at most 8760")
        present = active_settings()
        draft = _draft(present, set)
        stretch = History(hours).present(timezone.now())
        rules = list(AlertRule.objects.filter(enabled=True).order_by("pk"))
        found = compare(stretch, (present, replay(stretch, present)), (draft, replay(stretch, draft)), allowance(), rules)
        self._print_json(found) if json else self._print(found)

    def _print_json(self, found: Preview) -> None:
        self.stdout.write(json.dumps(asdict(found)))

    def _print(self, found: Preview) -> None:
        names = Token.objects.in_bulk([line.pk for line in found.ranking])
        say = self.stdout.write
        say(f"the last {found.hours:.1f} h: {found.tokens} tokens, {found.rows} snapshots; now → draft")
        for kind in ("activated", "archived"):
            more, fewer = len(found.more[kind]), len(found.fewer[kind])
            say(f"{kind}: {found.same[kind]} under both, +{more} by the draft only, −{fewer} not by the draft")
        now, draft = found.now, found.draft
        say(f"Active: {now.active} → {draft.active}; alerts an hour: {_alerts(now)} → {_alerts(draft)}")
        say(f"Birdeye units a day: {found.now.units_a_day:,.0f} → {found.draft.units_a_day:,.0f}")
        say(f"rank correlation: {'–' if found.correlation is None else format(found.correlation, '.3f')}; {found.moved} places move")
        for line in found.ranking:
            token = names.get(line.pk)
            name = (token.symbol or short(token.address)) if token else "–"
            say(f"{_place(line.now_place):>4} → {_place(line.place):<4} {name:<12} {_score(line.now_score):>9} → {_score(line.score):<9}")


def _alerts(side: Side) -> str:
    return "– (no alert rule)" if side.alerts_an_hour is None else f"{side.alerts_an_hour:.1f}"


def _place(place: int | None) -> str:
    return "–" if place is None else str(place)


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.4f}"


def _draft(present: ScoringSettings, pairs: list[str]) -> ScoringSettings:
    changes = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name not in SETTINGS:
            raise CommandError(f"--set {pair}: NAME=VALUE, and NAME one of {', '.join(SETTINGS)}")
        changes[name] = value
    try:
        return draft_of(present, changes)
    except ValidationError as error:
        raise CommandError("; ".join(f"{name}: {' '.join(sentences)}" for name, sentences in error.message_dict.items())) from error
