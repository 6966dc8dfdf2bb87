"""All settings, read once from the environment. Rules across settings are system checks in tothemoon.checks."""

import os
from importlib.util import find_spec
from pathlib import Path

from tothemoon import environment as env
from tothemoon.admin_look import UNFOLD  # noqa: F401  read by django-unfold
from tothemoon.cluster_sessions import of_a_cluster
from tothemoon.logs import logging_settings
from tothemoon.secret_key import kept_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
if os.environ.get("READ_DOTENV", "1") == "1":  # the tests turn this off: a developer's .env must not reach them
    env.read_dotenv(BASE_DIR / ".env")

# The site
DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.text("SECRET_KEY") or kept_secret_key(VAR_DIR / "secret_key")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
ROOT_URLCONF = "tothemoon.urls"
WSGI_APPLICATION = "tothemoon.wsgi.application"
SIMULATED = env.flag("SIMULATED", False)  # set by `demo`: every page says so

INSTALLED_APPS = [
    "tothemoon.apps.ToTheMoonConfig",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "tothemoon.apps.Admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "tokens.apps.TokensConfig",
    "ingestion.apps.IngestionConfig",
    "scoring.apps.ScoringConfig",
    "learning.apps.LearningConfig",
    "trading.apps.TradingConfig",
]

MIDDLEWARE = [
    "tothemoon.logs.RequestId",
    "tothemoon.security.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tothemoon.language.Language",
    "tokens.ready.ReadyPages",
    "tothemoon.language.Spoken",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tothemoon.security.DatabaseAway",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tothemoon.pulse.context",
                "tothemoon.language.context",
            ],
        },
    },
]

# Data
CLUSTER = env.flag("CLUSTER", False)
REDIS_URL = env.text("REDIS_URL")
DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{VAR_DIR / 'tothemoon.sqlite3'}")}
DATABASE_STATEMENT_SEC = env.number("DATABASE_STATEMENT_SEC", 0, 0, 3600)  # the web site's default is in wsgi.py
ON_SQLITE = str(DATABASES["default"]["ENGINE"]).endswith("sqlite3")
if ON_SQLITE:
    # Listener, scheduler and web site write side by side: measured, only these three together leave no "database is locked".
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
    }
    Path(str(DATABASES["default"]["NAME"])).parent.mkdir(parents=True, exist_ok=True)
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    options = dict(DATABASES["default"].get("OPTIONS") or {})  # type: ignore[call-overload]
    # Workers and migrations take as long as they take.
    _longest = f" -c statement_timeout={int(DATABASE_STATEMENT_SEC * 1000)}" if DATABASE_STATEMENT_SEC else ""
    # Set-wise reads of a tick look costly to the planner; compiling them took longer (300 ms) than running them (200 ms).
    # What PGOPTIONS asks for (deploy/manage: no migration waits for a lock for longer than 5 s) libpq forgets where options are given.
    _asked = os.environ.get("PGOPTIONS", "")
    DATABASES["default"]["OPTIONS"] = {"connect_timeout": 5, "options": f"{_asked} -c jit=off{_longest}".strip(), **options}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
_cache = env.cache("CACHE_URL", REDIS_URL if CLUSTER and REDIS_URL else "locmemcache://")
_cache.setdefault("OPTIONS", {"MAX_ENTRIES": 20_000} if "redis" not in str(_cache["BACKEND"]) else {})
if "redis" in str(_cache["BACKEND"]):
    _cache["BACKEND"] = "tothemoon.shared_cache.SharedCache"
CACHES = {"default": _cache}
MODELS_DIR = env.folder("MODELS_DIR", VAR_DIR / "models")  # what train_model writes and the scheduler reads

# Several machines: who does what says PostgreSQL, and one that is not heard of for the time of a lease has lost what it had taken
CLUSTER_LEASE_SEC = env.number("CLUSTER_LEASE_SEC", 25, 1, 3600)
CLUSTER_SHARE = env.whole("CLUSTER_SHARE", 240, 30, 12_000)  # tokens
QUOTAS_URL = REDIS_URL or (str(_cache["LOCATION"]) if "SharedCache" in str(_cache["BACKEND"]) else "") if CLUSTER else ""
if CLUSTER and not ON_SQLITE and find_spec("procrastinate"):
    INSTALLED_APPS.append("procrastinate.contrib.django")
    DATABASES["default"]["OPTIONS"] = of_a_cluster(dict(DATABASES["default"]["OPTIONS"]), CLUSTER_LEASE_SEC)  # type: ignore[call-overload]
PROCRASTINATE_WORKER_DEFAULTS = {
    "update_heartbeat_interval": CLUSTER_LEASE_SEC / 5,
    "stalled_worker_timeout": CLUSTER_LEASE_SEC,
    "shutdown_graceful_timeout": 1.0,  # then the jobs are asked to hurry, and waited for
    "delete_jobs": "successful",
}

# Outside services
PUMPPORTAL_WS_URL = env.address("PUMPPORTAL_WS_URL", "wss://pumpportal.fun/api/data", ["wss", "ws"])
SPOOL_DIR = Path(env.text("SPOOL_DIR", str(VAR_DIR)))  # migrations heard and not stored yet; with SQLite they lie beside the database
PUMPPORTAL_API_KEY = env.text("PUMPPORTAL_API_KEY")
PUMPPORTAL_STALL_SEC = env.number("PUMPPORTAL_STALL_SEC", 90, 1, 3600)
PUMPPORTAL_PING_SEC = env.number("PUMPPORTAL_PING_SEC", 15, 0.2, 600)
PUMPPORTAL_PING_TIMEOUT_SEC = env.number("PUMPPORTAL_PING_TIMEOUT_SEC", 10, 0.1, 300)
PUMPPORTAL_BACKOFF_MAX_SEC = env.number("PUMPPORTAL_BACKOFF_MAX_SEC", 60, 1, 3600)
PUMPPORTAL_BAN_WAIT_SEC = env.number("PUMPPORTAL_BAN_WAIT_SEC", 300, 1, 86400)
# HTTPS_PROXY, .netrc and the like are ignored on purpose: where our keys travel is decided here alone.
HTTP_DEADLINE_SEC = env.number("HTTP_DEADLINE_SEC", 15, 0.5, 120)
BIRDEYE_BASE_URL = env.address("BIRDEYE_BASE_URL", "https://public-api.birdeye.so", ["https", "http"])
BIRDEYE_API_KEY = env.text("BIRDEYE_API_KEY")
BIRDEYE_CACHE_TTL = env.number("BIRDEYE_CACHE_TTL", 30, 0, 3600)
BIRDEYE_RPS = env.number("BIRDEYE_RPS", 1, 0.01, 1000)
BIRDEYE_MONTHLY_CU = env.whole("BIRDEYE_MONTHLY_CU", 30_000, 0, 10_000_000_000)
DEXSCREENER_BASE_URL = env.address("DEXSCREENER_BASE_URL", "https://api.dexscreener.com", ["https", "http"])
# DexScreener's pages name 60 and 300 requests a minute for batches of 30 mints: keep to the smaller. All pools of one: 300.
DEXSCREENER_RPS = env.number("DEXSCREENER_RPS", 1, 0.01, 1000)
DEXSCREENER_PAIRS_RPS = env.number("DEXSCREENER_PAIRS_RPS", 4, 0.01, 1000)
BINANCE_BASE_URL = env.address("BINANCE_BASE_URL", "https://data-api.binance.vision", ["https", "http"])
BINANCE_FUTURES_BASE_URL = env.address("BINANCE_FUTURES_BASE_URL", "https://fapi.binance.com", ["https", "http"])
BINANCE_WS_URL = env.address("BINANCE_WS_URL", "wss://data-stream.binance.vision", ["wss", "ws"])
TELEGRAM_BASE_URL = env.address("TELEGRAM_BASE_URL", "https://api.telegram.org", ["https", "http"])  # or a Bot API server of one's own
EXT_MAX_CONCURRENCY = env.whole("EXT_MAX_CONCURRENCY", 8, 1, 64)
SCHED_INTERVAL_INITIAL_SEC = env.number("SCHED_INTERVAL_INITIAL_SEC", 30, 1, 3600)
SCHED_INTERVAL_ACTIVE_SEC = env.number("SCHED_INTERVAL_ACTIVE_SEC", 30, 1, 3600)

# What the processes say
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
LOG_FORMAT = env.choice("LOG_FORMAT", "kv", ["kv", "json"])
LOG_FILE = env.text("LOG_FILE")
LOGGING = logging_settings(LOG_LEVEL, LOG_FORMAT, LOG_FILE)
if CLUSTER:
    LOGGING["loggers"]["procrastinate"] = {"level": "WARNING"}  # two lines a job otherwise; the heartbeats tell the same
METRICS_PORT_LISTENER = env.whole("METRICS_PORT_LISTENER", 0, 0, 65535)
METRICS_PORT_SCHEDULER = env.whole("METRICS_PORT_SCHEDULER", 0, 0, 65535)
METRICS_ALLOW = env.words("METRICS_ALLOW", ["127.0.0.1", "::1"])  # who sees /metrics and the details of /health

# Time and language. Django exports TIME_ZONE to the process and APScheduler takes it from there.
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("uk", "Українська"), ("ru", "Русский")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
FORMAT_MODULE_PATH = ["tothemoon.formats"]  # 2026-11-21 12:04:31 in the admin, as in the logs; 0.5 with a point in every language
LANGUAGE_COOKIE_NAME = "lang"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True

# Static files
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(VAR_DIR / "static")))
if STATIC_ROOT.is_relative_to(VAR_DIR):
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns about a folder that is not there
WHITENOISE_USE_FINDERS = True  # a fresh clone has its styles without collectstatic; what was collected is served too
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}

# Security. A site that answers to a public name is served over HTTPS only; one that answers to this machine alone
# (demo, tests, a first look) must work without a certificate.
_local_names = {"localhost", "127.0.0.1", "[::1]", "testserver"}
HTTPS_ONLY = env.flag("HTTPS_ONLY", not DEBUG and not set(ALLOWED_HOSTS) <= _local_names)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_REDIRECT_EXEMPT = [r"^health$", r"^metrics$"]  # probed by this machine without TLS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = HTTPS_ONLY
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
LANGUAGE_COOKIE_SECURE = HTTPS_ONLY
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-session" if HTTPS_ONLY else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS_ONLY else "csrf"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
LOGIN_REDIRECT_URL = "admin:index"  # for who opens the login itself, without a page to go on to
SECOND_FACTOR = env.choice("SECOND_FACTOR", "optional", ["optional", "required"])  # for whoever has set one up, or for all staff
OTP_TOTP_ISSUER = "ToTheMoon"  # what the app on the phone calls it
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
