"""The WSGI application: `gunicorn --preload wsgi:app`, or `sudare serve`, which sets the rest too."""

import sys

from api import create_app
from api.commands.language import refusal_text
from api.server.logs import set_up_logs
from api.settings import Settings
from privacy.refusal import Refusal

try:
    settings = Settings.read()
    set_up_logs(settings.log_level)
    app = create_app(settings)
    app.extensions["sudare"].prove_secret()
except Refusal as refusal:
    # A line and no traceback: whoever starts a server can mend a setting and no program.
    sys.exit(f"Error: {refusal_text(refusal)}")
