"""Duels: up to three saved revisions score in the shadow of the one in force, tick by tick, on the same snapshots.

A duel never touches a score or a status. It follows the worker's tick after that tick is written, in a transaction of its own; it begins
at the end of a tick by taking over all that the revision in force remembers at that moment. Without a duel a tick pays one question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import IntegrityError, transaction

from scoring.duel_looks import Look, pack
from scoring.duel_models import MOST_SIDES, Duel, DuelLook, DuelSide, ShadowScore
from scoring.duel_shadow import ARCHIVED, Mind, Sight, step
from scoring.metrics import METRICS, Memory
from scoring.models import ScoringSettings
from scoring.run import inputs_of
from scoring.score_models import REGISTRY
from scoring.settings_in_force import formula, status_rule
from tokens.bulk_rows import insert_columns, update_rows
from tokens.columns import Column, moments, read_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Columns = Mapping[str, Numbers]

LOOK_EVERY = timedelta(seconds=60)
EARLY = timedelta(seconds=5)  # ticks are not that punctual
LONGEST = timedelta(days=7)
KEPT_AFTER = timedelta(days=30)  # the evidence of a duel that has ended
FRESH_SEC = 900.0  # a price older than this is not seen any more
BATCH = 500
LISTED = "t.chain = 'solana'"  # exchange symbols are scored, but stand in no list that a side could be asked about
STATUSES = ("Initial", "Active", "Archived")
MODELS = list(REGISTRY)
_CODES = " ".join(f"WHEN '{status}' THEN {code}" for code, status in enumerate(STATUSES))
_MODEL = " ".join(f"WHEN '{name}' THEN {place}" for place, name in enumerate(MODELS))

MEMORY = tuple((f"{key}_{name}", name, key) for key in ("smoothed", "age_sec") for name in METRICS)
RULES = ("last_check_at", "observed_sec", "low_since", "low_checks")
MOMENTS = ("ts", "last_check_at", "low_since", "activated_at", "archived_at")
SEEDED = ["ts", "ticks", "status", *RULES, *(field for field, _, _ in MEMORY)]
FIELDS = ["ts", "ticks", "score", "status", "activated_at", "archived_at", *RULES, *(field for field, _, _ in MEMORY)]


def _remembered(name: str, table: str) -> Column:
    return Column(name, f"{table}.{name}", "moment" if name in MOMENTS else "number")


MINDS = (
    Column("side", "d.id"),
    Column("token", "t.id"),
    Column("id", "m.id"),
    Column("mine", f"CASE m.status {_CODES} END"),
    Column("hand", f"CASE WHEN t.held THEN CASE t.status {_CODES} END END"),
    Column("seen_at", "s.ts", "moment"),
    Column("contradictory", "s.contradictions <> ''", "flag"),
    Column("pools", "CASE WHEN coalesce(m.status, 'Initial') = 'Initial' THEN (SELECT count(*) FROM pools p WHERE p.token_id = t.id) END"),
    *(_remembered(name, "m") for name in FIELDS if name != "status"),
)
SEEDS = (
    Column("token", "t.id"),
    Column("status", f"CASE t.status {_CODES} END"),
    Column("ts", "t.last_scored_at", "moment"),
    Column("model", f"CASE r.score_model {_MODEL} END"),
    *(_remembered(name, "t") for name in RULES),
    *(Column(field, "last.components", "json", (name, key)) for field, name, key in MEMORY),
)


class Refused(ValueError):
    """This duel cannot be begun; the message says why."""


# By an operator's hand


def start(revisions: Sequence[int], author: Any, note: str) -> Duel:
    """Let these revisions score in the shadow, from the end of the next tick on. Raises Refused."""
    found = ScoringSettings.objects.in_bulk(set(revisions))
    if not 1 <= len(found) <= MOST_SIDES or len(found) != len(set(revisions)):
        raise Refused(f"Choose one to {MOST_SIDES} saved revisions.")
    if in_force := [pk for pk, revision in found.items() if revision.active]:
        raise Refused(f"#{in_force[0]} is in force: it takes part anyway. Choose others.")
    try:
        with transaction.atomic():
            duel = Duel.objects.create(author=author, note=note.strip()[:300])
            DuelSide.objects.bulk_create(
                DuelSide(duel=duel, settings=found[pk], place=place) for place, pk in enumerate(dict.fromkeys(revisions), 1)
            )
    except IntegrityError as error:
        raise Refused("A duel is running already. Stop it first.") from error
    return duel


def stop(duel: Duel, why: str, now: datetime) -> bool:
    """End a duel; its evidence stays. False where it has ended before."""
    return bool(Duel.objects.filter(pk=duel.pk, running=True).update(running=False, ended_at=now, ending=why[:200]))


# In the worker


def follow(read: Columns, in_force: ScoringSettings, now: datetime) -> int | None:
    """After a tick of the worker: the same snapshots, scored and judged by each side of the running duel; now and then a look at all.

    `read` is what the tick has read. Returns how many scores the sides have now made, or None without a duel.
    """
    sides = list(DuelSide.objects.filter(duel__running=True).select_related("duel", "settings").order_by("place"))
    if not sides:
        return None
    duel = sides[0].duel
    with transaction.atomic():
        if duel.begun_at is None:
            _begin(duel, sides, now)
            return 0
        if now - duel.begun_at > LONGEST:
            stop(duel, f"by itself, after {LONGEST.days} days", now)
            return 0
        scored = _shadow(sides, read, in_force, now) if read["pk"].size else 0
        _look(duel, sides, in_force, now)
        return scored


def _begin(duel: Duel, sides: Sequence[DuelSide], now: datetime) -> None:
    """Each side takes over what is remembered of every living token, as a revision does that is saved at this moment."""
    seeds = read_columns(
        SEEDS,
        "FROM tokens t LEFT JOIN token_scores last ON last.token_id = t.id AND last.ts = t.last_scored_at "
        f"LEFT JOIN scoring_settings r ON r.id = last.settings_id WHERE t.status IN ('Initial', 'Active') AND {LISTED} ORDER BY t.id",
    )
    tokens, count = seeds["token"].astype(np.int64).tolist(), seeds["token"].size
    statuses = [STATUSES[int(code)] for code in seeds["status"].tolist()]
    rules = [_stored(name, seeds[name]) for name in RULES]
    made: list[list[Any]] = [[] for _ in ("side", "token", *SEEDED)]
    for side in sides:
        same_model = seeds["model"] == MODELS.index(side.settings.score_model)
        memory = [np.where(same_model, seeds[field], np.nan).tolist() for field, _, _ in MEMORY]
        own = ([side.pk] * count, tokens, moments(seeds["ts"]), [0] * count, statuses, *rules, *memory)
        for column, values in zip(made, own, strict=True):
            column += values
    insert_columns(ShadowScore, ["side", "token", *SEEDED], made)
    Duel.objects.filter(pk=duel.pk).update(begun_at=now)


def _stored(name: str, values: Numbers) -> list[Any]:
    """A column of numbers as the model's field takes it."""
    if name in MOMENTS:
        return moments(values)
    if name == "status":
        return [STATUSES[int(code)] for code in values.tolist()]
    return [int(value) for value in values.tolist()] if name in ("low_checks", "ticks") else values.tolist()


def _shadow(sides: Sequence[DuelSide], read: Columns, in_force: ScoringSettings, now: datetime) -> int:
    """All sides in the same four statements, whatever the number of tokens."""
    tokens = ", ".join(map(str, read["pk"].astype(np.int64).tolist()))
    rows = read_columns(
        MINDS,
        "FROM duel_sides d CROSS JOIN tokens t JOIN token_snapshots s ON s.token_id = t.id AND s.ts = t.last_snapshot_at "
        f"LEFT JOIN shadow_scores m ON m.side_id = d.id AND m.token_id = t.id "
        f"WHERE d.duel_id = {sides[0].duel_id} AND t.id IN ({tokens}) AND {LISTED} ORDER BY d.place, t.id",
    )
    old: list[tuple[Any, ...]] = []
    new: list[tuple[Any, ...]] = []
    scored = 0
    for side in sides:
        mine = {name: column[rows["side"] == side.pk] for name, column in rows.items()}
        place = np.searchsorted(read["pk"], mine["token"])
        seen = {name: column[place] for name, column in read.items()}
        fits = mine["seen_at"] == seen["ts"]  # a snapshot that came in between waits for the tick that is its own
        mine, seen = ({name: column[fits] for name, column in columns.items()} for columns in (mine, seen))
        before = _mind(mine, seen, side.settings.score_model == in_force.score_model)
        after = step(before, _sight(mine, seen), formula(side.settings), status_rule(side.settings), now.timestamp())
        scored += int((before.status != ARCHIVED).sum())
        values = list(zip(*(_stored(name, _column(name, after)) for name in FIELDS), strict=True))
        for token, pk, row in zip(mine["token"].astype(np.int64).tolist(), mine["id"].tolist(), values, strict=True):
            if pk == pk:
                old.append((int(pk), *row))
            else:
                new.append((side.pk, token, *row))
    update_rows(ShadowScore, "id", FIELDS, old)
    if new:
        insert_columns(ShadowScore, ["side", "token", *FIELDS], list(zip(*new, strict=True)))
    return scored


def _mind(mine: Columns, seen: Columns, same_model: bool) -> Mind:
    """What is stored; for a token that was found since, what the worker knew of it before this tick."""
    found = np.isnan(mine["id"])
    memory = [
        np.where(found, seen[f"{name}.{key}"] if same_model else np.nan, mine[f"{key}_{name}"])
        for key in ("smoothed", "age_sec")
        for name in METRICS
    ]
    return Mind(
        status=np.where(found, seen["active"], mine["mine"]),
        scored_at=np.where(found, seen["scored_at"], mine["ts"]),
        ticks=np.where(found, 0.0, mine["ticks"]),
        score=mine["score"],
        memory=Memory(np.stack(memory[: len(METRICS)]), np.stack(memory[len(METRICS) :])),
        last_check_at=mine["last_check_at"],
        observed_sec=np.where(found, 0.0, mine["observed_sec"]),
        low_since=mine["low_since"],
        low_checks=np.where(found, 0.0, mine["low_checks"]),
        activated_at=mine["activated_at"],
        archived_at=mine["archived_at"],
    )


def _sight(mine: Columns, seen: Columns) -> Sight:
    return Sight(inputs_of(seen), seen["ts"], seen["created_at"], mine["pools"], mine["contradictory"] == 1, mine["hand"])


def _column(name: str, mind: Mind) -> Numbers:
    for place, metric in enumerate(METRICS):
        if name == f"smoothed_{metric}":
            return np.asarray(mind.memory.value[place])
        if name == f"age_sec_{metric}":
            return np.asarray(mind.memory.age_sec[place])
    return np.asarray(getattr(mind, "scored_at" if name == "ts" else name))


# The evidence


def _look(duel: Duel, sides: Sequence[DuelSide], in_force: ScoringSettings, now: datetime) -> None:
    """Keep what everybody thinks at this moment, once a minute. In force counts only what was scored since the duel began, as for all."""
    last = DuelLook.objects.filter(duel=duel).order_by("-number").values_list("number", "ts").first()
    if last is not None and now - last[1] < LOOK_EVERY - EARLY:
        return
    places = range(1, len(sides) + 1)
    scored = f"{' + '.join(f'coalesce(s{place}.ticks, 0)' for place in places)} > 0"
    columns = [
        Column("token", "t.id"),
        Column("price", "s.price"),
        Column("seen_at", "s.ts", "moment"),
        Column("score0", f"CASE WHEN {scored} THEN t.last_score_value END"),
        Column("active0", "t.status = 'Active'", "flag"),
    ]
    for place in places:
        columns.append(Column(f"score{place}", f"CASE WHEN s{place}.status <> 'Archived' THEN s{place}.score END"))
        columns.append(Column(f"active{place}", f"s{place}.status = 'Active'", "flag"))
    joins = " ".join(
        f"LEFT JOIN shadow_scores s{side.place} ON s{side.place}.side_id = {side.pk} AND s{side.place}.token_id = t.id" for side in sides
    )
    read = read_columns(
        columns,
        f"FROM tokens t JOIN token_snapshots s ON s.token_id = t.id AND s.ts = t.last_snapshot_at {joins} "
        f"WHERE t.status IN ('Initial', 'Active') AND {LISTED} ORDER BY t.id",
    )
    fresh = now.timestamp() - read["seen_at"] <= FRESH_SEC
    taken = {name: column[fresh] for name, column in read.items()}
    everybody = range(len(sides) + 1)
    look = Look(
        taken["token"].astype(np.int64),
        taken["price"],
        np.stack([taken[f"score{place}"] for place in everybody]),
        np.stack([taken[f"active{place}"] == 1 for place in everybody]),
    )
    number = 0 if last is None else last[0] + 1
    DuelLook.objects.create(duel=duel, number=number, ts=now, settings=in_force, tokens=look.token.size, data=pack(look))


def delete_old_evidence(now: datetime, go_on: Callable[[], bool] = lambda: True) -> int:
    """What duels left that ended long ago, some hundred rows at a time; that they were fought stays. Returns how many went."""
    ended = list(Duel.objects.filter(running=False, ended_at__lt=now - KEPT_AFTER).values_list("pk", flat=True))
    deleted = 0
    for rows in (DuelLook.objects.filter(duel__in=ended), ShadowScore.objects.filter(side__duel__in=ended)):
        while batch := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
            deleted += rows.model._default_manager.filter(pk__in=batch).delete()[0]
            if not go_on():
                return deleted
    return deleted
