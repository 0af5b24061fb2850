"""The WSGI application: `gunicorn --preload wsgi:app`, or `sudare serve`, which sets the rest too."""

from api import create_app
from api.server.logs import set_up_logs
from api.settings import Settings

settings = Settings.read()
set_up_logs(settings.log_level)
app = create_app(settings)
