"""What the endpoints work with, made once an application from its settings."""

from dataclasses import dataclass

from flask import current_app

from api.settings import Settings
from datasets.accounts import Accounts
from datasets.catalog import Catalog
from datasets.engines.duckdb import DuckdbEngine
from datasets.ledger import Ledger
from datasets.questions import Desk
from datasets.store import Store
from privacy.noise import Noise, OpendpNoise

ENGINE_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The server's parts. Nothing here is connected before it is used."""

    settings: Settings
    store: Store
    accounts: Accounts
    ledger: Ledger
    catalog: Catalog
    desk: Desk

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
        desk = Desk(
            ledger=ledger,
            catalog=catalog,
            engine=engine,
            noise=noise or OpendpNoise(),
            data_dir=settings.data_dir,
        )
        accounts = Accounts(store, settings.secret())
        return cls(
            settings=settings, store=store, accounts=accounts, ledger=ledger, catalog=catalog, desk=desk
        )


def services() -> Services:
    """The services of the application that handles this request."""
    found: Services = current_app.extensions["sudare"]
    return found
