"""HTTP, formats and the command line. `create_app` makes the application; nothing is connected before it is used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from api.settings import Settings
    from privacy.noise import Noise


def create_app(settings: "Settings", noise: "Noise | None" = None) -> "Flask":
    """The application for these settings. `noise` is real unless a test brings its own."""
    # Imported here and not at the top: every command imports this package, and none but the server's needs these.
    from flask import Flask

    from api.budgets.views import blueprint as budgets
    from api.catalog.views import blueprint as catalog
    from api.description import openapi
    from api.description.pages import blueprint as pages
    from api.http import headers, limits, problems
    from api.queries.views import blueprint as queries
    from api.server import logs, metrics, pacing, public_address
    from api.server.health import blueprint as health
    from api.services import Services

    app = Flask(__name__, static_folder=None)
    app.extensions["sudare"] = Services(settings=settings, noise=noise).made()
    for shared in (headers, problems, limits, logs, metrics, pacing, public_address):
        shared.install(app)
    openapi.install(app, [queries, catalog, budgets])
    for undescribed in (health, metrics.blueprint, pages):
        app.register_blueprint(undescribed)
    return app
