"""How the admin looks: names, the side bar in the order of use, and what is said where the market is simulated."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

OWN_PAGES = ("console", "evidence-panel")  # beside the admin's own, whose addresses have its name in front


def environment(request: HttpRequest) -> list[str] | None:
    """A label in the corner of every page."""
    from django.conf import settings

    return ["SIMULATED", "warning"] if settings.SIMULATED else None


def _group(title: str, *items: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "title": title,
        "separator": True,
        "items": [
            {"title": name, "icon": icon, "link": reverse_lazy(url if url in OWN_PAGES else f"admin:{url}")} for name, icon, url in items
        ],
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "ToTheMoon",
    "SITE_HEADER": "ToTheMoon",
    "SITE_SYMBOL": "nightlight",
    "SITE_URL": "/",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("tokens/icon.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": False,
    "ENVIRONMENT": "tothemoon.admin_look.environment",
    "DASHBOARD_CALLBACK": "tothemoon.front_page.callback",
    "LOGIN": {"form": "tothemoon.login.LimitedLogin"},
    "STYLES": [lambda request: static("tothemoon/admin.css")],
    "COLORS": {
        # One accent, the same as on the own parts of these pages.
        "primary": {
            "50": "oklch(96.2% .018 272.314)",
            "100": "oklch(93% .034 272.788)",
            "200": "oklch(87% .065 274.039)",
            "300": "oklch(78.5% .115 274.713)",
            "400": "oklch(67.3% .182 276.935)",
            "500": "oklch(67.3% .182 276.935)",  # what is written on the dark: darker could not be read
            "600": "oklch(51.1% .262 276.966)",
            "700": "oklch(45.7% .24 277.023)",
            "800": "oklch(39.8% .195 277.366)",
            "900": "oklch(35.9% .144 278.697)",
            "950": "oklch(25.7% .09 281.288)",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            _group(
                "",
                ("Is it alive?", "vital_signs", "index"),
                ("Tokens", "token", "tokens_token_changelist"),
                ("Console", "science", "console"),
                ("Settings", "tune", "scoring_scoringsettings_changelist"),
            ),
            _group(
                "What happened",
                ("Status changes", "history", "tokens_statuschange_changelist"),
                ("Listening gaps", "hearing_disabled", "ingestion_listeninggap_changelist"),
                ("Quarantine", "report", "ingestion_quarantinedframe_changelist"),
                ("Snapshots", "photo_camera", "tokens_tokensnapshot_changelist"),
                ("Scores", "leaderboard", "scoring_tokenscore_changelist"),
            ),
            _group(
                "Paper trading",
                ("Judgements", "gavel", "trading_judgement_changelist"),
                ("Positions", "candlestick_chart", "trading_paperposition_changelist"),
                ("Skipped signals", "block", "trading_skippedsignal_changelist"),
                ("Gate ledger", "balance", "trading_ledgeraccount_changelist"),
                ("Assets", "category", "trading_assetstate_changelist"),
                ("Back-tests", "replay", "trading_backtestrun_changelist"),
                ("Watch-list", "visibility", "ingestion_watchedsymbol_changelist"),
            ),
            _group(
                "Evidence",
                ("Is it whole?", "verified", "evidence-panel"),
                ("Signals", "campaign", "learning_signal_changelist"),
                ("Outcomes", "flag", "learning_outcome_changelist"),
                ("Vectors", "data_array", "learning_featurevector_changelist"),
                ("Predictions", "online_prediction", "learning_prediction_changelist"),
                ("Models", "model_training", "learning_modelversion_changelist"),
                ("Schemas", "schema", "learning_featureschema_changelist"),
            ),
            _group(
                "Alerts",
                ("Rules", "notifications_active", "scoring_alertrule_changelist"),
                ("Channels", "send", "scoring_alertchannel_changelist"),
                ("Log of alerts", "list_alt", "scoring_alertdelivery_changelist"),
                ("Looks at the scores", "monitor_heart", "scoring_scorehealth_changelist"),
            ),
            _group(
                "Machinery",
                ("Heartbeats", "ecg_heart", "ingestion_heartbeat_changelist"),
                ("Services", "cloud", "ingestion_servicestate_changelist"),
                ("Read keys", "key", "scoring_readkey_changelist"),
                ("API use", "payments", "ingestion_apiusage_changelist"),
            ),
            _group(
                "People",
                ("Users", "person", "auth_user_changelist"),
                ("Groups", "group", "auth_group_changelist"),
                ("My second factor", "phonelink_lock", "second_factor"),
            ),
        ],
    },
}
