"""`/admin/scoring/console/duel/`: which of the saved revisions would have been the better one, and how sure is that?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from scoring.admin import difference
from scoring.draws import Estimate
from scoring.duel_evidence import told
from scoring.duel_figures import COST, LEAST_BLOCKS, LEAST_TOKENS, Terms
from scoring.duel_models import MOST_SIDES, Duel, ShadowScore
from scoring.duel_report import Report, SideFigures
from scoring.duels import LONGEST, Refused, start, stop
from scoring.models import ScoringSettings
from scoring.settings_in_force import active_settings

FIRST, RISES, MINUTES = (1, 3, 5, 10, 20), (10, 25, 50, 100), (15, 30, 60, 120, 240)
OFFERED = 40  # revisions to choose from
SHOWN = 12  # earlier duels
FIGURES = (("hit", "rose"), ("held", "still above"), ("gain", "mean gain"))


@dataclass(frozen=True)
class Cell:
    """A figure as the page draws it: in per cent, and where its interval lies between the two ends of the column."""

    estimate: Estimate | None
    difference: Estimate | None
    left: float = 0.0
    width: float = 0.0
    dot: float = 0.0
    zero: float = 0.0

    @property
    def direction(self) -> str:
        """Whether zero is left out, and on which side."""
        found = self.difference
        return "" if found is None else "up" if found.low > 0 else "down" if found.high < 0 else ""


@dataclass(frozen=True)
class Row:
    figures: SideFigures
    revision: ScoringSettings
    name: str
    cells: list[tuple[str, str, Cell]]
    correlation: Estimate | None
    changes: list[tuple[str, Any, Any]]
    counts: dict[str, int]


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """A duel and its figures: the one that runs, else the last; `?duel=` shows an earlier one, `?r=` chooses revisions for the next."""
    _may_look(request)
    return _page(request)


@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    _may_decide(request)
    try:
        duel = start(_numbers(request.POST.getlist("r")), request.user, request.POST.get("note", ""))
    except Refused as refused:
        return _page(request, trouble=str(refused))
    return HttpResponseRedirect(f"{reverse('console_duel')}?duel={duel.pk}")


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    _may_decide(request)
    duel = Duel.objects.filter(running=True).first()
    if duel is not None:
        stop(duel, f"by {request.user}", timezone.now())
    return HttpResponseRedirect(f"{reverse('console_duel')}?duel={duel.pk}" if duel else reverse("console_duel"))


def _page(request: HttpRequest, trouble: str = "") -> HttpResponse:
    asked, terms = request.POST or request.GET, _terms(request)
    duels = Duel.objects.select_related("author").annotate(looks_taken=Count("looks")).order_by("-running", "-pk")
    chosen = _numbers(asked.getlist("r"))
    wanted = _numbers([asked.get("duel", "")])
    duel = (duels.filter(pk__in=wanted).first() if wanted else duels.first()) if not (chosen and not wanted) or trouble else None
    revisions = ScoringSettings.objects.filter(active=False).select_related("author", "based_on").order_by("-pk")
    context = {
        **admin.site.each_context(request),
        "title": "Which is better?",
        "trouble": trouble,
        "duel": duel,
        "running": Duel.objects.filter(running=True).first(),
        "duels": list(duels[:SHOWN]),
        "chosen": chosen,
        "offered": _offered(revisions, chosen),
        "note": asked.get("note", ""),
        "may_decide": request.user.has_perm("scoring.add_scoringsettings"),
        "most": MOST_SIDES,
        "longest": LONGEST.days,
        "least": (LEAST_BLOCKS, LEAST_TOKENS),
        "cost": 100 * COST,
        "terms": terms,
        "choices": (("first", "of the first", FIRST, terms.first, ""), ("rise", "rise", RISES, round(terms.rise * 100), " %")),
        "minutes": (MINUTES, round(terms.minutes)),
        **(_told(duel, terms) if duel is not None else {}),
    }
    return TemplateResponse(request, "admin/scoring/console/duel.html", context)


def _offered(revisions: Any, chosen: list[int]) -> list[tuple[ScoringSettings, list[tuple[str, Any, Any]]]]:
    """The newest, the presets, and whatever is chosen already, each with what it would change."""
    present = active_settings()
    newest = list(revisions.filter(preset="")[:OFFERED])
    known = {row.pk for row in newest}
    more = [row for row in revisions.filter(Q(pk__in=chosen) | ~Q(preset="")) if row.pk not in known]
    return [(row, difference(present, row)) for row in sorted([*newest, *more], key=lambda row: (row.pk not in chosen, -row.pk))]


def _terms(request: HttpRequest) -> Terms:
    """What is asked of the duel, from the address; anything but the offered choices is the usual."""

    def chosen(name: str, offered: tuple[int, ...], usual: int) -> int:
        numbers = _numbers([request.GET.get(name, "")])
        return numbers[0] if numbers and numbers[0] in offered else usual

    return Terms(chosen("first", FIRST, 5), chosen("rise", RISES, 25) / 100, float(chosen("minutes", MINUTES, 60)))


def _told(duel: Duel, terms: Terms) -> dict[str, Any]:
    report = told(duel, terms)
    sides = list(duel.sides.select_related("settings").order_by("place"))
    present = active_settings()
    revisions = [present, *(side.settings for side in sides)]
    names = ["in force", *(f"#{side.settings_id}" for side in sides)]
    counts: dict[int, dict[str, int]] = {}
    for place, status, number in ShadowScore.objects.filter(side__duel=duel).values_list("side__place", "status").annotate(Count("pk")):
        counts.setdefault(place, {})[status] = number
    ends = {name: _ends([side.figures[name] for side in report.sides]) for name, _ in FIGURES}
    return {
        "report": report,
        "rows": [
            Row(
                figures=side,
                revision=revisions[side.place],
                name=names[side.place],
                cells=[(name, label, _cell(side, name, ends[name])) for name, label in FIGURES],
                correlation=report.correlations.get((0, side.place)),
                changes=difference(present, revisions[side.place]) if side.place else [],
                counts=counts.get(side.place, {}),
            )
            for side in report.sides
        ],
        "among": _among(report, names),
        "in_force_were": list(
            ScoringSettings.objects.filter(pk__in=duel.looks.order_by().values("settings").distinct())
            .order_by("pk")
            .values_list("pk", flat=True)
        ),
    }


def _among(report: Report, names: list[str]) -> list[tuple[str, str, Estimate | None, int]]:
    """Rank correlations of the sides with each other; those with what is in force stand in the table."""
    pairs = [pair for pair in report.correlations if pair[0]]
    return [(names[one], names[other], report.correlations[one, other], report.compared[one, other]) for one, other in pairs]


def _ends(estimates: list[Estimate | None]) -> tuple[float, float]:
    """From the lowest to the highest interval, and zero."""
    bounds = [bound for found in estimates if found for bound in (found.low, found.high)]
    return min([0.0, *bounds]), max([0.01, *bounds])


def _cell(side: SideFigures, name: str, ends: tuple[float, float]) -> Cell:
    found, (least, most) = side.figures[name], ends
    if found is None:
        return Cell(None, None)

    def at(value: float) -> float:
        return 100 * (value - least) / (most - least)

    return Cell(found, side.differences[name], at(found.low), max(at(found.high) - at(found.low), 0.5), at(found.value), at(0.0))


def _numbers(words: list[str]) -> list[int]:
    return list(dict.fromkeys(int(word) for word in words[:20] if word.isascii() and word.isdigit() and len(word) < 19))


def _may_look(request: HttpRequest) -> None:
    if not request.user.has_perm("scoring.view_scoringsettings"):
        raise PermissionDenied


def _may_decide(request: HttpRequest) -> None:
    _may_look(request)
    if not request.user.has_perm("scoring.add_scoringsettings"):
        raise PermissionDenied
