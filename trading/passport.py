"""What the stages have to say of a signal of the evidence: the judgement that points to it, which gate held it back, and the paper trade.
Found by keys alone; nothing is guessed from times."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from learning.from_above import Part
from trading import positions, told, words
from trading.models import Judgement, PaperFill
from trading.names import Gate
from trading.templatetags.trading_words import dollars


def part(signal: Any) -> Part | None:
    """Of the signal itself, or of what Stage 2 said from the same vector. None where the stages said nothing; four queries at most."""
    rows = Judgement.objects.select_related("token", "settings", "order", "skip").filter(signal__vector=signal.vector_id)
    judged = rows.order_by("pk").first()
    if judged is None:
        return None
    position = positions.one(judged.pk)
    fills = list(PaperFill.objects.filter(position=judged.pk).order_by("time", "pk")) if position else []
    context = {
        "judged": judged,
        "gated": judged.gate != Gate.NONE,
        "why": told.sentences(judged),
        "targets": [price for price in (judged.target_1, judged.target_2, judged.target_3) if price is not None],
        "waiting": position is None and hasattr(judged, "order"),
        "skip": words.word("skip", judged.skip.reason) if hasattr(judged, "skip") else "",
        "position": position,
        "fills": fills,
    }
    return Part("trading/_passport.html", "judgement", _("Gates and paper trade"), _brief(judged, position), context)


def _brief(judged: Any, position: Any) -> str:
    if position is not None:
        return dollars(position.result) if position.row.closed_at else _("position open")
    if judged.gate != Gate.NONE:
        return words.word("gate", judged.gate)
    return words.word("recommendation", judged.recommendation)
