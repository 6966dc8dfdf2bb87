"""What the rules know of the tokens, for all rules and tokens at once: read in one statement, and written in two."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.alert_rows import AlertState
from scoring.alert_state import UNSEEN
from tokens.bulk_rows import insert_rows, update_rows
from tokens.columns import Column, read_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

COLUMNS = (
    Column("id", "a.id"),
    Column("rule", "a.rule_id"),
    Column("token", "a.token_id"),
    Column("state", "a.state"),
    Column("revision", "a.revision"),
    Column("mark", "a.mark"),
    Column("sent_at", "a.sent_at", "moment"),
)
WRITTEN = ["state", "revision", "mark", "sent_at"]


@dataclass(frozen=True)
class Seen:
    """One rule's knowledge of some tokens, in their order. Unknown: state UNSEEN, no id."""

    ids: Numbers
    state: NDArray[np.int8]
    revision: Numbers
    mark: Numbers
    sent_at: Numbers
    pks: Numbers

    @property
    def known(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.ids)

    def sent_at_of(self, pks: Numbers) -> dict[int, float]:
        """When each of these was last told of; the system is 0."""
        known = dict(zip(np.nan_to_num(self.pks).astype(np.int64).tolist(), self.sent_at.tolist(), strict=True))
        return {pk: at for pk in np.nan_to_num(pks).astype(np.int64).tolist() if (at := known.get(pk, np.nan)) == at}


@dataclass
class Memory:
    """All states as they are stored, and what of them changes."""

    columns: Mapping[str, Numbers]
    new: list[tuple[Any, ...]] = field(default_factory=list)
    changed: list[tuple[Any, ...]] = field(default_factory=list)

    @classmethod
    def read(cls) -> Memory:
        return cls(read_columns(COLUMNS, "FROM alert_states a ORDER BY a.rule_id, coalesce(a.token_id, 0)"))

    def of(self, rule: int, pks: Numbers) -> Seen:
        """Of the tokens `pks` (sorted; one NaN is the system)."""
        begin, end = np.searchsorted(self.columns["rule"], [rule, rule + 1])
        mine = {name: column[begin:end] for name, column in self.columns.items()}
        stored, wanted = np.nan_to_num(mine["token"]), np.nan_to_num(pks)
        if not stored.size:
            nothing = np.full(pks.shape, np.nan)
            return Seen(nothing, np.full(pks.shape, UNSEEN, dtype=np.int8), nothing, np.zeros(pks.shape), nothing, pks)
        places = np.minimum(np.searchsorted(stored, wanted), stored.size - 1)
        found = stored[places] == wanted
        return Seen(
            ids=np.where(found, mine["id"][places], np.nan),
            state=np.where(found, mine["state"][places], UNSEEN).astype(np.int8),
            revision=np.where(found, mine["revision"][places], np.nan),
            mark=np.where(found, mine["mark"][places], 0.0),
            sent_at=np.where(found, mine["sent_at"][places], np.nan),
            pks=pks,
        )

    def keep(
        self,
        rule: int,
        seen: Seen,
        pks: Numbers,
        state: NDArray[np.int8],
        revision: Numbers,
        sent: Collection[int],
        now: datetime,
        mark: Numbers | None = None,
    ) -> None:
        """The states after this look: only rows that differ are written, and of what was never seen none."""
        marks = seen.mark if mark is None else mark
        told = np.isin(np.nan_to_num(pks), list(sent)) if sent else np.zeros(pks.shape, dtype=bool)
        differs = (state != seen.state) | (marks != seen.mark) | told | ~np.isclose(revision, seen.revision, rtol=0, atol=0, equal_nan=True)
        for place in np.flatnonzero(differs).tolist():
            at = now if told[place] else _moment(float(seen.sent_at[place]))
            values = (int(state[place]), _whole(revision[place]), int(marks[place]), at)
            if np.isnan(seen.ids[place]):
                self.new.append((rule, _whole(pks[place]), *values))
            else:
                self.changed.append((int(seen.ids[place]), *values))

    def write(self) -> None:
        insert_rows(AlertState, ["rule", "token", *WRITTEN], self.new)
        update_rows(AlertState, "id", WRITTEN, self.changed)


def _whole(value: float) -> int | None:
    return None if value != value else int(value)


def _moment(at: float) -> datetime | None:
    return None if at != at else datetime.fromtimestamp(at, UTC)
