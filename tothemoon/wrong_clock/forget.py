"""All of it in its order: what points before what it points to, and the tokens last: by them everybody sees that something is left."""

from __future__ import annotations

from datetime import datetime

from tothemoon.wrong_clock.evidence import forget_evidence
from tothemoon.wrong_clock.figures import Pause, forget_bars, forget_figures
from tothemoon.wrong_clock.notes import put_right
from tothemoon.wrong_clock.paper import forget_paper


def forget(now: datetime, limit: datetime, go_on: Pause = lambda: True) -> tuple[int, int]:
    """Take out what is dated after the limit, and put right what was derived from it. How many rows went, and how many were put right.

    Every bite is a transaction of its own; stopped in between it can be begun again, and does then what is left.
    """
    gone = forget_paper(now, limit)
    if go_on():
        gone += forget_evidence(now, limit, go_on)
    if go_on():
        gone += forget_bars(now, limit, go_on)
    changed = put_right(now, limit, go_on) if go_on() else 0
    if go_on():
        gone += forget_figures(now, limit, go_on)
    return gone, changed
