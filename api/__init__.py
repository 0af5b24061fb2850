"""HTTP, people and formats. `create_app` makes the application; nothing is connected before it is used."""

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
    from api.description import openapi, pages
    from api.http import headers, limits, problems
    from api.http.wire import BODY_BYTES_MAX
    from api.queries.schemas import CONDITION
    from api.queries.views import blueprint as queries
    from api.server import health
    from api.services import Services
    from api.settings import Rate

    app = Flask(__name__, static_folder=None)
    app.config.update(
        API_TITLE="Sudare",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        MAX_CONTENT_LENGTH=BODY_BYTES_MAX,
        MAX_FORM_MEMORY_SIZE=0,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.extensions["sudare"] = Services(settings=settings, noise=noise).made()
    headers.install(app)
    problems.install(app)
    limits.install(app, Rate.read(settings.rate_limit))
    api = openapi.SudareApi(app)
    api.spec.components.schema("Condition", CONDITION)
    for blueprint in (queries, catalog, budgets):
        api.register_blueprint(blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(pages.blueprint)
    app.extensions["sudare_openapi"] = openapi.document(api, app)
    return app
