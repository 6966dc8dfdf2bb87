"""What sessions of PostgreSQL are told where several machines meet in it: none may hold a row for longer than a lease, and both ends find
out that the other one is gone."""

from collections.abc import Mapping
from typing import Any

NOTICED_BY_US = {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 10_000}
NOTICED_BY_THE_SERVER = {"tcp_keepalives_idle": 5, "tcp_keepalives_interval": 3, "tcp_keepalives_count": 3}


def of_a_cluster(options: Mapping[str, Any], lease_sec: float) -> dict[str, Any]:
    """The options of a connection, with what the server reads when the session begins."""
    told = {"idle_in_transaction_session_timeout": f"{lease_sec * 1000:.0f}", **NOTICED_BY_THE_SERVER}
    words = " ".join(f"-c {name}={value}" for name, value in told.items())
    return {**NOTICED_BY_US, **options, "options": f"{options.get('options', '')} {words}".strip()}
