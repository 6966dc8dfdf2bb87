"""A row or more in every table, and the address of every page: what the trials of the site as a whole go over."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from learning.models import Signal
from learning.tests.evidence_rows import make_chain, make_model
from scoring.duels import start
from scoring.models import Duel, ScoringSettings
from tokens.models import Token
from tothemoon.tests.page_rows import a_pool, a_whole_token, address, changed
from tothemoon.tests.test_admin import fill as fill_admin
from trading.models import AssetState, BacktestRun, EquityPoint, LedgerAccount, PaperAccount, PaperOrder, SkippedSignal
from trading.tests.test_pages import asset, position
from trading.tests.test_passport import bought, judged


def fill(now: datetime) -> User:
    """Everything once, with ties between the tables; a superuser to look at it."""
    someone = User.objects.create_superuser("root", password="a-long-password", first_name="Ruth", last_name="Root")
    Group.objects.create(name="readers")
    LogEntry.objects.log_actions(someone.pk, [someone], CHANGE, change_message="Changed it.", single_object=True)
    fill_admin(3)
    whole = a_whole_token(now, 7, symbol="PI", name="Palantir", held=True)
    a_pool(whole, now, 1)
    changed(whole, now - timedelta(minutes=1), "Initial", "Active", "by hand: watching it", "anna")
    _evidence(now)
    _stages(now)
    start([ScoringSettings.objects.set_aside({"weight_tx_accel": 0.4}, None, "for a duel").pk], None, "who is better")
    return someone


def _evidence(now: datetime) -> None:
    chain = make_chain(
        now - timedelta(hours=2), model=make_model(now), sources=("score", "stage2", "model"), settled=(15, 60), missing={3: 1}
    )
    row = judged(chain)
    bought(row)
    PaperOrder.objects.create(judgement=row, token=row.token, side=1.0, quote=0.001, stop=0.0009, due=0, until=60)


def _stages(now: datetime) -> None:
    PaperAccount.objects.create(capital=1000, cash=900)
    position(asset(1, now), now)
    position(asset(2, now, kept=False, refusals="liquidity_low"), now, result=-3.0)
    SkippedSignal.objects.create(judgement=asset(3, now).judgement, time=now, reason="no_slot")
    EquityPoint.objects.create(ts=now, equity=1000, cash=900)
    LedgerAccount.objects.create(reason="gate: confidence", ts=now, since=now, blocked=3, followed=2, won=1, saved=-4.0)
    BacktestRun.objects.create(from_ts=now, to_ts=now, data_hash="x", result={"summary": {"trades": 7}}, report="var/backtests/a.html")


def public_pages() -> list[str]:
    tokens = [token.address for token in Token.objects.order_by("pk")[:1]] + ["T1", address(7)]
    assets = [state.token.address for state in AssetState.objects.select_related("token")[:2]]
    signals = list(Signal.objects.values_list("pk", flat=True))
    return [
        *("/", "/?status=Initial", "/?status=Archived", f"/?watch={tokens[0]}", "/pulse/", "/?sort=nonsense"),
        *(f"/tokens/{mint}/" for mint in tokens),
        *("/trading/", *(f"/trading/{mint}/" for mint in assets)),
        *("/evidence/", "/evidence/signals/", *(f"/evidence/signals/{pk}/" for pk in signals)),
        *("/api/", "/no/such/page", f"/tokens/{'z' * 44}/", "/trading/nothing/", "/evidence/signals/1/"),
    ]


def admin_pages(user: Any) -> list[str]:
    """Every list, row and form of the admin, and our own pages beside them."""
    found = [reverse("admin:index"), reverse("admin:second_factor"), reverse("admin:password_change"), "/admin/nothing/"]
    for model in admin.site._registry:
        found += _of_model(model)
    revisions = list(ScoringSettings.objects.order_by("pk").values_list("pk", flat=True)[:2])
    ids = ",".join(str(pk) for pk in Token.objects.values_list("pk", flat=True)[:5])
    console = reverse("console")
    return [
        *found,
        *(f"/admin/{app}/" for app in sorted({model._meta.app_label for model in admin.site._registry})),
        *(console, f"{console}compare/?r={revisions[0]}&r={revisions[1]}", f"{console}duel/", f"{console}duel/?d={Duel.objects.get().pk}"),
        *(f"{console}difference/?token={token.pk}" for token in Token.objects.filter(address=address(7))),
        reverse("evidence-panel"),
        *(f"{reverse('admin:tokens_token_by_hand', args=[verb])}?ids={ids}" for verb in ("archive", "hold")),
        reverse("admin:auth_user_password_change", args=[user.pk]),
        "/admin/search/?s=a",
    ]


def _of_model(model: Any) -> Iterator[str]:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    yield reverse(f"{name}_changelist")
    yield reverse(f"{name}_add")
    row = model._default_manager.order_by("-pk").first()
    if row is not None:
        for what in ("change", "delete", "history"):
            yield reverse(f"{name}_{what}", args=[row.pk])


def every_route() -> list[str]:
    """An address for every pattern that there is, as the resolver knows them, with something plausible in each place."""
    return sorted(set(_addresses(get_resolver(), "/")))


SAMPLES = {"int": "1", "str": "T1", "slug": "horizons", "path": "1", "uuid": "1" * 32}


def _addresses(resolver: URLResolver, before: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        there = before + _sample(pattern)
        if isinstance(pattern, URLResolver):
            yield from _addresses(pattern, there)
        else:
            yield there


def _sample(pattern: URLPattern | URLResolver) -> str:
    route = str(pattern.pattern)
    for name, converter in pattern.pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        for spelled in (f"<{kind}:{name}>", f"<{name}>"):
            route = route.replace(spelled, SAMPLES[kind])
    route = route.replace("(?P<url>.*)$", "nothing")
    return re.sub(r"^\^\(\?P<\w+>(\w+)[^)]*\)(.*)\$$", r"\1\2", route)  # one of several words: the first
