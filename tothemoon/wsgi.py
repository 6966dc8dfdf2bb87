"""What gunicorn serves."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
os.environ.setdefault("DATABASE_STATEMENT_SEC", "20")  # a visitor must not keep the database busy for longer
application = get_wsgi_application()

from tothemoon.checks import refuse_errors  # noqa: E402  the settings must be there first

refuse_errors()
import_module("tothemoon.urls")  # now, and not while the first visitor waits
