"""Work whose values all live to its end and point to one another in no circle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for circular garbage within: each would walk over all that a tick has made so far, a fifth of the tick's time.

    What no one points to is freed as ever. Of several that overlap the first one in switches the search on again; until then, and after
    it, all is right: a search too many costs time only.
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()
