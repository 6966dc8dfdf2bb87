"""The pages of the signals: the list, and the passport of one. Each asks its few questions of the tables and prints one template."""

from __future__ import annotations

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from learning import again, passport, signal_list

A_MINUTE = 20  # signals worked out again for the public, the whole site together: each costs a few hundred milliseconds


@require_safe
def signals(request: HttpRequest) -> HttpResponse:
    """What was said, and what came of it?"""
    return render(request, "learning/signals.html", signal_list.context(signal_list.wanted(request.GET), timezone.now()))


@require_http_methods(["GET", "HEAD", "POST"])
def signal(request: HttpRequest, pk: int) -> HttpResponse:
    """What did this signal rest on, and is it still the same when it is worked out again? Anybody may ask: evidence that only we could
    check would be none. Who is not staff shares a limit with everybody else."""
    row = passport.find(pk)
    if row is None:
        return render(request, "learning/no_signal.html", {"pk": pk}, status=404)
    now, status = timezone.now(), 200
    context = passport.context(row, now)
    if request.method == "POST":
        if request.user.is_staff or _in_turn():
            context["answer"] = again.work_out(row, now)
        else:
            context["busy"], status = _("Too many were worked out in the last minute. Try again in a minute."), 429
    response = render(request, "learning/signal.html", context, status=status)
    patch_cache_control(response, private=True, no_cache=True)  # its form belongs to one reader
    return response


def _in_turn() -> bool:
    cache.add("worked-out-again", 0, 60)
    try:
        return cache.incr("worked-out-again") <= A_MINUTE
    except ValueError:  # the minute ended between the two calls
        return True
