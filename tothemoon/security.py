"""What every answer of the site carries, whatever its status, and who is asking."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.template.loader import get_template
from django.views import defaults

from tokens import ready

logger = logging.getLogger(__name__)

PUBLIC_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# Unfold's Alpine evaluates expressions and both write inline styles: without these two words its login button stays covered.
ADMIN_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
NOT_NEEDED = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()"
)
HEADERS = {
    "Permissions-Policy": NOT_NEEDED,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
METHODS = ("GET", "HEAD", "POST", "OPTIONS")  # the admin's pages would answer any other like a GET
PROXIES = {"", "127.0.0.1", "::1"}  # the web server in front runs on this machine; behind a Unix socket the address is empty


class SecurityHeaders:
    """Outermost but one, so that errors, redirects and static files carry the headers too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        ready.carried.update({"Content-Security-Policy": PUBLIC_POLICY, **HEADERS})  # no page of the admin is ever ready

    def __call__(self, request: HttpRequest) -> HttpResponse:
        known = request.method in METHODS or request.path_info.startswith("/api/")  # which says so itself, in JSON
        response = self.get_response(request) if known else HttpResponseNotAllowed(METHODS)
        in_admin = request.path_info.startswith("/admin/")
        response.headers.setdefault("Content-Security-Policy", ADMIN_POLICY if in_admin else PUBLIC_POLICY)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if settings.SECURE_HSTS_SECONDS and request.is_secure():
            response.headers.setdefault("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload")
        if in_admin:
            response.headers["Cache-Control"] = "no-store, private"
        return response


class DatabaseAway:
    """A page that needs a database which does not answer says so, with 503, instead of pretending to be broken."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return without_database(request, error) if isinstance(error, OperationalError | InterfaceError) else None


def without_database(request: HttpRequest, error: Exception) -> HttpResponse:
    """The page promises to come back by itself; one that was sent with a form stays, so that it can be sent again."""
    logger.error("page refused: the database does not answer (%s)", type(error).__name__)
    again = {"Refresh": "5"} if request.method == "GET" else {}
    page = get_template("503.html").render()
    return HttpResponse(page, status=503, headers={"Retry-After": "5", "Cache-Control": "no-store", **again})


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own 404; its page has the site's header, which asks the database. A program gets what it can read."""
    if request.path_info.startswith("/api/"):
        body = {"error": "There is nothing at this address. /api/openapi.json says what there is.", "simulated": settings.SIMULATED}
        return JsonResponse({**body, "details": []}, status=404, headers={"Cache-Control": "no-store"})
    try:
        return defaults.page_not_found(request, exception)
    except (OperationalError, InterfaceError) as error:
        return without_database(request, error)


def client_address(request: HttpRequest) -> str:
    """Who is asking. The last X-Forwarded-For entry counts only when our own proxy, on this machine, has written it."""
    nearest = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    if nearest in PROXIES and forwarded:
        return forwarded.rsplit(",", 1)[-1].strip()
    return nearest


def may_see_details(request: HttpRequest) -> bool:
    """This machine and the addresses of METRICS_ALLOW see /metrics and the details of /health."""
    return client_address(request) in settings.METRICS_ALLOW
