"""One stored judgement in sentences: why, and what came of it. The sentences are those of `trading.narrative`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trading import narrative
from trading.names import Basis, Gate
from trading.texts import sentence


def item(judged: Any) -> dict[str, Any]:
    """What `narrative.tell` reads, from a row of judgements."""
    targets = [judged.target_1, judged.target_2, judged.target_3]
    columns = {"context": judged.context, "levels": judged.levels, "scores": judged.scenario_scores, "targets": targets}
    return {**judged.narrative, **columns, "at": judged.ts.timestamp()}


def sentences(judged: Any) -> list[str]:
    """All of why. A row that was written without its story (by hand, by another version) has none."""
    return [sentence(code, fields) for code, fields in narrative.tell(item(judged))] if judged.narrative else []


def because(judged: Any) -> str:
    """The one sentence that decides: the gate that held it back, what spoke against it, or the scenario it follows."""
    if not judged.narrative:
        return ""
    lines = narrative.tell(item(judged))
    deciding = "gate_" if judged.gate != Gate.NONE else "basis_" if judged.basis != Basis.SCENARIO else "scenario"
    return next((sentence(code, fields) for code, fields in lines if code.startswith(deciding)), "")


def flips(judged: Any) -> list[str]:
    """What would change the mind; empty where that was not stored."""
    stored: list[Mapping[str, Any]] | None = judged.narrative.get("flips")
    return [] if stored is None else [sentence(code, fields) for code, fields in narrative.tell_flips([dict(flip) for flip in stored])]
