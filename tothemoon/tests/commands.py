"""For tests that run a command as a process of its own, on the database of the test."""

from django.db import connection


def database_url() -> str:
    """The address of the test's own database, as DATABASE_URL takes it."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgresql:///{at['NAME']}?host={at['OPTIONS'].get('host') or at['HOST']}&user={at['USER'] or at['OPTIONS'].get('user')}"
