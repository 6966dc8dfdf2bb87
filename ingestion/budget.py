"""How a month's compute units are made to last the month. Pure arithmetic; the figures come from the ledger in the database.

A month is the calendar month in UTC. Each day gets an equal share of what the days before it have left over, and within a
day the share grows with the clock: what is not used today is spread over the rest of the month, and a day can never take
more than its share. On the first day of use the whole share is there at once, and at least a tenth of the month: of a free plan's
share the first hours of a new installation would see twenty answers, and then none.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Budget:
    limit: int  # of the month; 0 is no limit
    spent_month: int
    spent_today: int
    left_today: int  # what may be spent at this moment; no meaning without a limit
    share_today: int
    runs_out_at: datetime | None  # None: lasts to the end of the month at the present pace
    month_ends_at: datetime

    @property
    def left(self) -> int:
        return max(0, self.limit - self.spent_month)

    @property
    def used_up(self) -> bool:
        return self.limit > 0 and self.left == 0


def month_start(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def budget_at(now: datetime, limit: int, spent_month: int, spent_today: int) -> Budget:
    """The budget of the month that `now` lies in."""
    now = now.astimezone(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days_left = monthrange(now.year, now.month)[1] - now.day + 1
    month_ends_at = midnight + timedelta(days=days_left)
    spent_before_today = max(0, spent_month - spent_today)
    share = max(0, limit - spent_before_today) // days_left
    there = (now - midnight) / timedelta(days=1)
    if spent_before_today == 0:
        share, there = max(share, limit // 10), 1.0
    left_today = max(0, int(share * there) - spent_today)
    pace = spent_month / max((now - month_start(now)).total_seconds(), 3600.0)  # in the first hour a pace means nothing
    runs_out_at = None
    left, rest_of_month = max(0, limit - spent_month), (month_ends_at - now).total_seconds()
    if limit > 0 and left < pace * rest_of_month:  # compared as seconds: a large limit and a small pace lie beyond every date
        runs_out_at = now + timedelta(seconds=left / pace)
    return Budget(limit, spent_month, spent_today, left_today, share, runs_out_at, month_ends_at)
