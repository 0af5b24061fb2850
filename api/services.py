"""What the endpoints work with, made once an application from its settings."""

from dataclasses import dataclass

from flask import current_app

from api.settings import Settings
from datasets.catalog import Catalog
from datasets.database.store import Store
from datasets.engines.duckdb import DuckdbEngine
from datasets.ledger.ledger import Ledger
from datasets.people.service import People
from datasets.queries.service import QueryService
from privacy.noise import Noise, OpendpNoise

ENGINE_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The server's parts. Nothing here is connected before it is used."""

    settings: Settings
    store: Store
    people: People
    ledger: Ledger
    catalog: Catalog
    queries: QueryService

    @classmethod
    def of(cls, settings: Settings, noise: Noise | None = None) -> "Services":
        """Wire the parts together; `noise` is real unless a test brings its own."""
        store = Store(settings.database_url)
        ledger, catalog = Ledger(store), Catalog(store, settings.data_dir)
        engine = DuckdbEngine(
            threads=ENGINE_THREADS,
            timeout_s=settings.query_timeout_s,
            temporary=settings.data_dir / "temporary",
        )
        queries = QueryService(
            ledger=ledger,
            catalog=catalog,
            engine=engine,
            noise=noise or OpendpNoise(),
            data_dir=settings.data_dir,
        )
        people = People(store, settings.secret())
        return cls(
            settings=settings, store=store, people=people, ledger=ledger, catalog=catalog, queries=queries
        )


def services() -> Services:
    """The services of the application that handles this request."""
    found: Services = current_app.extensions["sudare"]
    return found
