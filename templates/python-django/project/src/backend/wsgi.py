"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from backend.core import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
telemetry.start()
application = get_wsgi_application()

# Below: it needs everything that Django has loaded.
from backend.metrics import port  # noqa: E402

port.serve()
