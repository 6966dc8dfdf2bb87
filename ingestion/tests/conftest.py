import pytest


@pytest.fixture
def small_times(settings):
    settings.PUMPPORTAL_STALL_SEC = 5
    settings.PUMPPORTAL_PING_SEC = 1
    settings.PUMPPORTAL_PING_TIMEOUT_SEC = 2
    settings.PUMPPORTAL_BACKOFF_MAX_SEC = 1
    settings.PUMPPORTAL_BAN_WAIT_SEC = 1
    return settings
