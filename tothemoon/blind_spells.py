"""What the charts of a token shade beside its own outages: when the feed was not heard. Given to tokens.chart at start."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from ingestion.models import ListeningGap
from tokens.blind_spells import BlindSpell

LONGEST_LOOKED_FOR = timedelta(days=7)
MOST = 100


def listening_gaps(since: datetime, until: datetime) -> Sequence[BlindSpell]:
    """The stretches of not listening that touch this time, the newest where there are many; one query."""
    # Bounded by its beginning too, because only that has an index.
    ended = Q(to_ts__gte=since, from_ts__gte=since - LONGEST_LOOKED_FOR)
    rows = ListeningGap.objects.filter(Q(to_ts=None) | ended, from_ts__lt=until).order_by("-from_ts")[:MOST]
    return [BlindSpell(row.from_ts, row.to_ts, row.why) for row in rows]
