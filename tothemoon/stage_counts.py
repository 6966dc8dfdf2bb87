"""What the cycles of the stages have done since the process began, carried from run to run in the heartbeat of their job.

Every name comes from a closed list (`trading.names`), so that however long it runs, what is kept stays as large as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trading.names import Gate, Refusal, Skip, Trigger

if TYPE_CHECKING:
    from trading.run import Cycle

EDGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
# Stage 1 is what reads no further than the newest bars: market states, triggers, alerts and the filter; stage 2 is what judges.
DURATIONS = {"stage1": ("triggers", "prefilter"), "stage2": ("judgement", "flips"), "prefilter": ("prefilter",)}
BY_NAME = {
    "refused": [reason.value for reason in Refusal],
    "triggers": [trigger.value for trigger in Trigger],
    "gates": [gate.value for gate in Gate if gate is not Gate.NONE],
    "skips": [skip.value for skip in Skip],
}
SUMS = ("begun", "judged", "signals", "entered", "closed")


def added(before: Mapping[str, Any], cycle: Cycle) -> dict[str, Any]:
    """What was counted before and this cycle. One that found no minute to judge is none."""
    if not cycle.rows:
        return dict(before)
    found: dict[str, Any] = {name: before.get(name, 0) + getattr(cycle, name) for name in SUMS}
    for name, known in BY_NAME.items():
        old, new = before.get(name, {}), getattr(cycle, name)
        found[name] = {key: old.get(key, 0) + new.get(key, 0) for key in known}
    for name, parts in DURATIONS.items():
        seconds = sum(cycle.parts_ms.get(part, 0.0) for part in parts) / 1000
        found[name] = _observed(before.get(name, {}), seconds)
    return found


def _observed(before: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """A histogram: how many lasted at most as long as each edge, how many in all, and their sum."""
    within = before.get("within") or [0] * len(EDGES)
    return {
        "within": [count + (seconds <= edge) for count, edge in zip(within, EDGES, strict=True)],
        "count": before.get("count", 0) + 1,
        "sum": before.get("sum", 0.0) + seconds,
    }
