"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
application = get_wsgi_application()

from tothemoon.checks import refuse_errors  # noqa: E402  the settings must be there first

refuse_errors()
