"""`/admin/scoring/console/`: what would these settings do? The draft lives in the page; nothing is stored before it is saved."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET, require_POST

from scoring.admin import SETTINGS, difference, told
from scoring.ahead import Ahead, look_ahead, rows_of_lists
from scoring.attribution import Attribution, Scored, attribute
from scoring.console_form import DraftForm, SaveForm, first_values, groups, half_life, posted, values_of
from scoring.history import History, Stretch
from scoring.models import AlertRule, Duel, ScoringSettings, TokenScore
from scoring.near_misses import near_activation, near_archive
from scoring.preview import Allowance, Preview, compare
from scoring.revisions import Overtaken, written
from scoring.settings_in_force import active_settings, formula, interval_sec
from scoring.stage_columns import STAGE_PREVIEWS
from scoring.strips import meaning, span, strips
from scoring.whatif import Replay, replay
from tokens.models import Token

HISTORY = History()
_replaying = threading.Lock()
REVISIONS_SHOWN = 30
LARGEST_IMPORT = 20_000
DAYS_A_MONTH = 30


@dataclass(frozen=True)
class Looked:
    """A preview, with what it was made from."""

    preview: Preview
    stretch: Stretch
    draft: ScoringSettings
    played: Replay
    ahead: Ahead | None
    ms: float


def replayed(present: ScoringSettings, now: datetime) -> tuple[Stretch, Replay]:
    """The stored hours, and what `present` makes of them: worked out once a tick."""
    stretch = HISTORY.present(now)
    key = ("in force", *(repr(getattr(present, name)) for name in SETTINGS))
    before = stretch.known.get(key)
    if not isinstance(before, Replay):
        before = replay(stretch, present)
        stretch.known[key] = before
    return stretch, before


def look(present: ScoringSettings, draft: ScoringSettings, now: datetime, in_force: ScoringSettings | None = None) -> Looked:
    """Replay the stored hours with both. What `present` gives is worked out once a tick; it is the revision in force unless told so, and
    then it is looked ahead from the draft as well."""
    began = time.perf_counter()
    stretch, before = replayed(present, now)
    played = replay(stretch, draft, rows_of_lists if in_force is None else None)
    ahead = look_ahead(played.sampled, formula(draft)) if played.sampled is not None else None
    rules = list(AlertRule.objects.filter(enabled=True).order_by("pk"))
    preview = compare(stretch, (present, before), (draft, played), allowance(), rules, in_force)
    return Looked(preview, stretch, draft, played, ahead, (time.perf_counter() - began) * 1000)


def allowance() -> Allowance:
    """What Birdeye may cost in a day: its rate, and a thirtieth of the month's budget."""
    from ingestion.birdeye_answers import OVERVIEW, PRICES

    most = django_settings.BIRDEYE_RPS * 86_400 * PRICES[OVERVIEW]
    if django_settings.BIRDEYE_MONTHLY_CU:
        most = min(most, django_settings.BIRDEYE_MONTHLY_CU / DAYS_A_MONTH)
    return Allowance(bool(django_settings.BIRDEYE_API_KEY), most)


# Pages


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The whole page. `?from=` starts the draft from an earlier revision."""
    _may_look(request)
    present = active_settings()
    start = _revision(request.GET.get("from")) or present
    return _console(request, present, values_of(start), note=f"As #{start.pk}" if start.pk != present.pk else "")


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """What the draft would have done; where it is refused, the sentences beside the fields and nothing else. Nothing is stored.

    It is posted only because so many settings do not fit into an address.
    """
    _may_look(request)
    present, form = active_settings(), DraftForm(request.POST)
    shown = _shown(present, form.instance) if form.is_valid() else _refused(form)
    context = {
        "out_of_band": True,
        "groups": groups(form, present, shown["strips"]),
        "present": present,
        "half_life": half_life(form["ewma_alpha"].value(), interval_sec(present, "Active")),
        **shown,
    }
    return TemplateResponse(request, "admin/scoring/console/_preview.html", context)


@require_POST
def stages(request: HttpRequest) -> HttpResponse:
    """What the draft would have made of the stages: a request of its own, because it takes longer than the preview of the score."""
    _may_look(request)
    form = DraftForm(request.POST)
    context: dict[str, Any] = {"busy": False}
    if not form.is_valid():
        context["refused"] = list(form.errors)
    elif not _replaying.acquire(blocking=False):  # one at a time: a replay takes a processor for itself
        context["busy"] = True
    else:
        try:
            context["found"] = next((ask(active_settings(), form.instance, timezone.now()) for ask in STAGE_PREVIEWS), None)
        finally:
            _replaying.release()
    return TemplateResponse(request, "admin/scoring/console/_stages.html", context)


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """The draft becomes the revision in force, or the page says why not. Without JavaScript both buttons of the form arrive here."""
    return _keep(request, _put_aside if "aside" in request.POST else _put_in_force)


@require_POST
def set_aside(request: HttpRequest) -> HttpResponse:
    """The draft becomes a revision that is not in force: for a duel, or for later."""
    return _keep(request, _put_aside)


def _keep(request: HttpRequest, keep: Callable[[HttpRequest, Any], tuple[ScoringSettings, SafeString]]) -> HttpResponse:
    _may_look(request)
    if not request.user.has_perm("scoring.add_scoringsettings"):
        raise PermissionDenied
    for _ in range(2):  # the second time after somebody was quicker between the form's look and the save: now it shows
        form = SaveForm(request.POST)
        if not form.is_valid():
            break
        try:
            saved, done = keep(request, form)
        except Overtaken:
            continue
        return _console(request, active_settings(), values_of(saved), done=done)
    return _console(request, active_settings(), None, form=form)


def _put_in_force(request: HttpRequest, form: Any) -> tuple[ScoringSettings, SafeString]:
    values, based_on = {name: form.cleaned_data[name] for name in SETTINGS}, form.cleaned_data.get("based_on_pk")
    saved = ScoringSettings.objects.revise(values, author=request.user, note=form.cleaned_data["note"], based_on=based_on)
    return saved, format_html("Revision #{} is in force: {}. Workers use it at their next tick.", saved.pk, _changed(saved))


def _put_aside(request: HttpRequest, form: Any) -> tuple[ScoringSettings, SafeString]:
    values = {name: form.cleaned_data[name] for name in SETTINGS}
    saved = ScoringSettings.objects.set_aside(values, author=request.user, note=form.cleaned_data["note"])
    link = format_html('<a class="ttm-link" href="{}?r={}">Let it duel</a>', reverse("console_duel"), saved.pk)
    return saved, format_html("Revision #{} is set aside, not in force: {}. {}", saved.pk, _changed(saved), link)


def _changed(saved: ScoringSettings) -> SafeString:
    changed = difference(saved.based_on, saved) if saved.based_on else []
    return told(changed) if changed else mark_safe("no value changed")


def _console(
    request: HttpRequest, present: ScoringSettings, values: dict[str, str] | None, form: Any = None, note: str = "", done: str = ""
) -> HttpResponse:
    if form is None:
        form = SaveForm(initial={**first_values(values or {}), "based_on_pk": present.pk, "note": note})
    drafted = DraftForm(form.data if form.is_bound else values)
    revisions = ScoringSettings.objects.select_related("author", "based_on").order_by("-pk")
    presets = list(revisions.exclude(preset="").order_by("pk"))
    shown = _shown(present, drafted.instance) if drafted.is_valid() else _refused(drafted)
    context = {
        **admin.site.each_context(request),
        "title": "What would it do?",
        "form": form,
        "groups": groups(form, present, shown["strips"]),
        "present": present,
        "done": done,
        "may_save": request.user.has_perm("scoring.add_scoringsettings"),
        "half_life": half_life(form["ewma_alpha"].value(), interval_sec(present, "Active")),
        "presets": presets,
        "duel_runs": Duel.objects.filter(running=True).exists(),
        "revisions": [
            (row, difference(row.based_on, row) if row.based_on else [])
            for row in [*revisions.filter(preset="")[:REVISIONS_SHOWN], *reversed(presets)]
        ],
        **shown,
    }
    part = request.headers.get("HX-Request") == "true"
    return TemplateResponse(request, "admin/scoring/console/_console.html" if part else "admin/scoring/console/page.html", context)


def _refused(form: Any) -> dict[str, Any]:
    """Of a draft that holds something refused nothing is known."""
    return {"refused": list(form.errors), "strips": {}}


def _shown(present: ScoringSettings, draft: ScoringSettings, in_force: ScoringSettings | None = None) -> dict[str, Any]:
    """A preview as the template prints it: with names, and with the bars drawn."""
    looked = look(present, draft, timezone.now(), in_force)
    found = looked.preview
    near, falling = (ask(looked.stretch, draft, looked.played) for ask in (near_activation, near_archive))
    changed = [pk for lists in (found.more, found.fewer) for pks in lists.values() for pk in pks[:6]]
    pks = {line.pk for line in found.ranking} | {miss.pk for miss in [*near, *falling]} | set(changed)
    names = Token.objects.only("symbol", "address").in_bulk(pks)
    return {
        "present": present,
        "preview": found,
        "ranking": [(names.get(line.pk), line, _why(line.parts)) for line in found.ranking],
        "near": [(names.get(miss.pk), miss) for miss in near],
        "falling": [(names.get(miss.pk), miss) for miss in falling],
        "gained": {kind: ([names.get(pk) for pk in pks[:6]], len(pks)) for kind, pks in found.more.items()},
        "lost": {kind: ([names.get(pk) for pk in pks[:6]], len(pks)) for kind, pks in found.fewer.items()},
        "differences": [(name, written(old), written(new)) for name, old, new in difference(present, draft)],
        "bars": _bars(found),
        "has_key": bool(django_settings.BIRDEYE_API_KEY),
        "span": span(found.hours),
        "strips": strips(looked.ahead, draft) if looked.ahead else {},
        "ahead_said": meaning(looked.ahead, found.hours) if looked.ahead else "",
        "ms": looked.ms,
    }


def _why(parts: dict[str, float]) -> str:
    """The changes of the contributions, the largest first: “vol momentum +0.29, tx accel −0.02”."""
    telling = sorted(parts.items(), key=lambda item: -abs(item[1]))
    return ", ".join(f"{name.replace('_', ' ')} {change:+.3f}".replace("-", "−") for name, change in telling if abs(change) >= 0.0005)


def _bars(found: Preview) -> list[tuple[float, float, float]]:
    """For each step of the score: where it stands, and the heights for now and for the draft, in per cent of the highest."""
    pairs = list(zip(found.now.bars or [0] * len(found.draft.bars), found.draft.bars or [0] * len(found.now.bars), strict=False))
    highest = max((count for pair in pairs for count in pair), default=0) or 1
    return [(100 * place / len(pairs), 100 * now / highest, 100 * draft / highest) for place, (now, draft) in enumerate(pairs)]


@require_GET
def compare_two(request: HttpRequest) -> HttpResponse:
    """Two revisions side by side: `?r=5&r=7`. How they differ, and what either would have done with the stored hours."""
    _may_look(request)
    asked = [revision for words in request.GET.getlist("r")[:9] if (revision := _revision(words)) is not None]
    present = active_settings()
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Two revisions", "in_force": present}
    if len(asked) == 2 and asked[0].pk != asked[1].pk:
        first, second = asked
        context |= {"first": first, "second": second, "first_name": f"#{first.pk}", "second_name": f"#{second.pk}"}
        context |= _shown(first, second, in_force=present)
    return TemplateResponse(request, "admin/scoring/console/compare.html", context)


# Why does one score differ from another?


@require_GET
def difference_of_scores(request: HttpRequest) -> HttpResponse:
    """Two tokens, or one at two times, taken apart: `token`, `other` (address or symbol; blank: the same), `minutes` before the newest."""
    _may_look(request)
    token = _token(request.GET.get("token", ""))
    other = _token(request.GET.get("other", "")) if request.GET.get("other", "").strip() else token
    minutes = request.GET.get("minutes", "").strip()
    back = int(minutes) if minutes.isascii() and minutes.isdigit() and len(minutes) < 6 else (15 if other == token else 0)
    first, second = (_stored(other, back), _stored(token, 0)) if token and other else (None, None)
    context: dict[str, Any] = {"asked": bool(request.GET.get("token")), "token": token, "other": other, "back": back}
    if first and second:
        parted = attribute(_scored(first), _scored(second))
        context |= {"parted": parted, "steps": _steps(parted), "first": first, "second": second}
    return TemplateResponse(request, "admin/scoring/console/_attribution.html", context)


def _token(words: str) -> Token | None:
    words = words.replace("\x00", "").strip()[:80]
    found = (
        Token.objects.filter(address=words).first()
        or Token.objects.filter(symbol=words).order_by(F("last_scored_at").desc(nulls_last=True)).first()
    )
    return found if words else None


def _stored(token: Token, minutes: int) -> TokenScore | None:
    """The newest score of a token, or the last one at least so many minutes before it."""
    scores = TokenScore.objects.filter(token=token, score__isnull=False).select_related("settings").order_by("-ts")
    newest = scores.first()
    if newest is None or not minutes:
        return newest
    return scores.filter(ts__lte=newest.ts - timedelta(minutes=minutes)).first()


def _scored(row: TokenScore) -> Scored:
    return Scored(row.score or 0.0, row.components, row.settings.score_model)


def _steps(parted: Attribution) -> list[tuple[str, float, float]]:
    widest = max((abs(step) for step in parted.steps.values()), default=0.0) or 1.0
    return [(name.replace("_", " "), step, 100 * abs(step) / widest) for name, step in parted.steps.items()]


# Revisions as files


@require_GET
def export(request: HttpRequest, pk: int) -> HttpResponse:
    """One revision as JSON, to keep or to bring to another machine."""
    _may_look(request)
    revision = _revision(str(pk))
    if revision is None:
        raise Http404
    about = {"revision": revision.pk, "note": revision.note, "created_at": revision.created_at.isoformat()}
    answer = JsonResponse({**about, "settings": {name: getattr(revision, name) for name in SETTINGS}}, json_dumps_params={"indent": 2})
    answer.headers["Content-Disposition"] = f'attachment; filename="tothemoon-settings-{revision.pk}.json"'
    return answer


@require_POST
def take_in(request: HttpRequest) -> HttpResponse:
    """A file that `export` made becomes the draft. It is looked at and mended like any other draft before it is saved."""
    _may_look(request)
    present = active_settings()
    values, trouble = _read_file(request)
    if trouble:
        form = SaveForm({**values_of(present), "based_on_pk": present.pk, "note": " "})
        form.is_valid()
        form.errors.clear()
        form.add_error(None, trouble)
        return _console(request, present, None, form=form)
    return _console(request, present, {**values_of(present), **values}, note="Imported")


def _read_file(request: HttpRequest) -> tuple[dict[str, str], str]:
    upload = request.FILES.get("file")
    if upload is None or (upload.size or 0) > LARGEST_IMPORT:
        return {}, "Choose a file that an export of this page has made."
    try:
        found = json.loads(upload.read().decode())["settings"]
        values = {str(name): value if isinstance(value, str) else posted(value) for name, value in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}, "This file holds no settings: it is not an export of this page."
    unknown = sorted(set(values) - set(SETTINGS))
    return (values, "") if not unknown else ({}, f"Not a setting here: {', '.join(unknown)[:200]}.")


def _revision(words: str | None) -> ScoringSettings | None:
    words = words or ""
    return ScoringSettings.objects.filter(pk=int(words)).first() if words.isascii() and words.isdigit() and len(words) < 19 else None


def _may_look(request: HttpRequest) -> None:
    if not request.user.has_perm("scoring.view_scoringsettings"):
        raise PermissionDenied
