"""`python -m api.server` is gunicorn with our master; takes gunicorn's options. `sudare serve` becomes this."""

from api.server.arbiter import ServerApplication

ServerApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog="sudare serve").run()
