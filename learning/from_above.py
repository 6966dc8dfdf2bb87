"""What the apps above this one know of its signals: they put their questions in here at the start, where no page is loaded yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.models import Signal

    Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """What an app above this one has to say of a signal: a template and what it prints, its heading, and the whole of it in two words."""

    template: str
    anchor: str
    title: str
    brief: str
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tag:
    """Something that was true of some signals of Stage 2: a trigger fired, a scenario was seen. `label` says it for the reader."""

    group: str
    name: str
    label: Callable[[], str]
    signals: Places  # their keys


# Filled by the apps above: each is asked for its part, and answers None where it has none.
PARTS: list[Callable[[Signal], Part | None]] = []

# Filled by the app above, which knows what its signals rested on; asked for all signals at once.
TAGS: list[Callable[[Places], Sequence[Tag]]] = []
