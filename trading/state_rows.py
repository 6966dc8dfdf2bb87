"""What the stages decided, in tables: judgements that stay, and of each token the state it is in now with what its gates remember."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.models import ScoringSettings
from tokens.bulk_rows import find_rows, insert_rows, update_rows
from trading import narrative
from trading.gates import GateMemory
from trading.market_state import STATES
from trading.models import AssetState, Judgement, PaperAccount, SkippedSignal
from trading.names import Skip
from trading.pipeline import Learned, Memory, signal_key
from trading.reasons import named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid
    from trading.book import Signals
    from trading.facts import Assets
    from trading.pipeline import Decided, StageRules

REMEMBERED = ("token_id", "kept", "gates_closed", "standing", "entered_at")
OWN_COLUMNS = ("context", "levels", "scores", "targets", "at")  # of a told judgement
NUMBERS = ("score", "confidence", "confidence_low", "confidence_high", "entry", "stop", "reward_risk", "expectancy")
JUDGEMENT = (
    *("key", "token", "ts", "stored_at", "settings", "price", "market_state", "triggers", "effective_reasons"),
    *("scenario", "scenario_scores", "context", "levels", *NUMBERS, "confidence_is_probability", "target_1", "target_2", "target_3"),
    *("recommendation_original", "recommendation", "basis", "gate", "side", "risk_class", "liquidity_assumed", "narrative"),
)
STATE = (
    *("token", "ts", "settings", "price", "kept", "refusals", "market_state", "triggers", "effective_reasons", "alert"),
    *("gates_closed", "standing", "entered_at"),
)


def memory(pks: NDArray[np.int64], account: PaperAccount) -> Memory:
    """What the cycles before have left, in the order of the tokens; a new token remembers nothing."""
    rows = {row[0]: row[1:] for row in AssetState.objects.filter(pk__in=pks.tolist()).values_list(*REMEMBERED)}
    found = [rows.get(pk, (False, 0, 0, None)) for pk in pks.tolist()]
    bits = np.array([row[1] for row in found], dtype=np.int64)
    standing = np.array([row[2] for row in found], dtype=np.int8)
    entered = np.array([np.nan if row[3] is None else row[3] for row in found], dtype=np.float64)
    inside = np.array([row[0] for row in found], dtype=np.bool_)
    return Memory(GateMemory.stored(bits, standing, entered), inside, Learned.restored(account.co_firing))


def judgement_rows(
    decided: Decided,
    grid: Grid,
    rules: StageRules,
    revision: ScoringSettings,
    now: datetime,
    flips: Mapping[int, list[dict[str, Any]]],
) -> list[tuple[Any, ...]]:
    """One row for each judged point. `flips`, by its place, goes into its narrative; where nobody asked, nothing is said of them."""
    judged = decided.judged
    keys = signal_key(judged.end, grid.tokens[judged.columns])
    return [
        _judgement(
            decided,
            place,
            int(keys[place]),
            grid,
            revision,
            now,
            narrative.item(judged, place, rules.judge) | ({"flips": flips[place]} if place in flips else {}),
        )
        for place in range(len(judged))
    ]


def _judgement(
    decided: Decided, place: int, key: int, grid: Grid, revision: ScoringSettings, now: datetime, told: dict[str, Any]
) -> tuple[Any, ...]:
    row, column = int(decided.judged.rows[place]), int(decided.judged.columns[place])
    targets = [*told["targets"], None, None, None][:3]
    rest = {name: value for name, value in told.items() if name not in OWN_COLUMNS}
    return (
        *(key, int(grid.tokens[column]), _moment(told["at"]), now, revision.pk, told["price"]),
        *(STATES[int(decided.states.code[row, column])].value, _json(triggers(decided, row, column))),
        *(float(decided.alerts.effective[row, column]), told["scenario"], _json(told["scores"]), _json(told["context"])),
        *(_json(told["levels"]), *(told[name] for name in NUMBERS), told["confidence_is_probability"], *targets),
        *(told["recommendation_original"], told["recommendation"], told["basis"], told["gate"], told["side"], told["risk_class"]),
        *(told["liquidity_assumed"], _json(rest)),
    )


def triggers(decided: Decided, row: int, column: int) -> list[dict[str, Any]]:
    """The reasons that count at this bar, each as it fired last."""
    fired = decided.fired
    found = []
    for name in named(int(decided.alerts.reasons[row, column])):
        at = row - int(np.argmax(fired.on[name][row::-1, column]))
        found.append(
            {
                "name": name.value,
                "direction": int(fired.direction[name][at, column]),
                "strength": round(float(fired.strength[name][at, column]), 4),
                "bars_ago": row - at,
            }
        )
    return found


def store_judgements(rows: list[tuple[Any, ...]], signals: Mapping[int, int]) -> None:
    """`signals`: what the evidence keeps of them, by their keys."""
    insert_rows(Judgement, (*JUDGEMENT, "signal"), [(*row, signals.get(row[0])) for row in rows])


def store_too_late(signals: Signals, grid: Grid) -> None:
    """Signals of bars that were over too long ago when they were judged: kept, with that reason, and not entered."""
    ends = grid.open_time[signals.row] + grid.interval_sec
    rows = [(int(key), _moment(int(end)), Skip.TOO_LATE.value) for key, end in zip(signals.key, ends, strict=True)]
    insert_rows(SkippedSignal, ["judgement", "time", "reason"], rows)


def store_states(decided: Decided, grid: Grid, of: Assets, revision: ScoringSettings) -> None:
    """One row a token, moved on to the newest bar; and the newest judgement of those that have a new one."""
    pks = of.pks.tolist()
    if not pks:
        return
    rows = _states(decided, grid, of, revision)
    known = {pk for (pk,) in find_rows(AssetState, "token", ["token"], pks)}
    insert_rows(AssetState, STATE, [row for row in rows if row[0] not in known])
    update_rows(AssetState, "token", STATE[1:], [row for row in rows if row[0] in known])
    judged = decided.judged
    newest = dict(zip(grid.tokens[judged.columns].tolist(), signal_key(judged.end, grid.tokens[judged.columns]).tolist(), strict=True))
    update_rows(AssetState, "token", ["judgement"], list(newest.items()))


def _states(decided: Decided, grid: Grid, of: Assets, revision: ScoringSettings) -> list[tuple[Any, ...]]:
    last = len(grid) - 1
    ts = _moment(int(grid.open_time[last]) + grid.interval_sec)
    gates = decided.memory.gates
    bits, standing, entered = gates.closed_bits.tolist(), gates.standing.tolist(), gates.entered_at.tolist()
    return [
        (
            *(pk, ts, revision.pk, _null(grid.close[last, column]), bool(decided.kept[last, column])),
            *(" ".join(decided.sifted.reasons(column)) if decided.sifted else "", STATES[int(decided.states.code[last, column])].value),
            *(_json(triggers(decided, last, column)), float(decided.alerts.effective[last, column])),
            *(bool(decided.alerts.on[last, column]), bits[column], standing[column], _null(entered[column])),
        )
        for column, pk in enumerate(of.pks.tolist())
    ]


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
