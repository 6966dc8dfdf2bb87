"""The barest site that Django and gunicorn can be: no middleware, no database, one view that returns bytes it holds already.

A Django of its own, served by a gunicorn of its own: `tothemoon.benches.barest:application`. BAREST_FOLDER holds a file for each address.
"""

import os
from pathlib import Path

from django.conf import settings

settings.configure(ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[], ROOT_URLCONF=__name__, SECRET_KEY="nothing is signed here")  # noqa: S106

from django.core.wsgi import get_wsgi_application  # noqa: E402  the settings must be there first
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

HELD = {file.name: file.read_bytes() for file in Path(os.environ["BAREST_FOLDER"]).iterdir()}


def held(request: HttpRequest, name: str) -> HttpResponse:
    content = HELD[name]
    return HttpResponse(content, headers={"Content-Length": str(len(content))})


urlpatterns = [path("<str:name>", held)]
application = get_wsgi_application()
