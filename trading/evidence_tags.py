"""What the signals of Stage 2 rested on, for the verdict on them: which triggers had fired, and which scenario was seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from learning.from_above import Tag
from tokens.bulk_rows import find_rows
from trading import words
from trading.models import Judgement

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tags(signals: NDArray[np.int64]) -> Sequence[Tag]:
    """Of all these signals, found by their keys in one statement; each trigger and scenario that there is among them."""
    found: dict[tuple[str, str], list[int]] = {}
    for signal, triggers, scenario in find_rows(Judgement, "signal", ["signal", "triggers", "scenario"], signals.tolist()):
        fired = json.loads(triggers) if isinstance(triggers, str) else triggers
        for name in {str(trigger["name"]) for trigger in fired}:
            found.setdefault(("trigger", name), []).append(signal)
        found.setdefault(("scenario", scenario), []).append(signal)
    return [Tag(group, name, partial(words.word, group, name), np.array(keys)) for (group, name), keys in sorted(found.items())]
