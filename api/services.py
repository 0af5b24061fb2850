"""The parts that the server, the command line and the demonstration work with, wired here and nowhere else.

A part is imported and made when it is first asked for, and connects when it is first used: a command loads only
what it needs, and a server's workers open connections of their own after the fork.
"""

import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from api.settings import InvalidSetting, Settings
from privacy.words import Words

if TYPE_CHECKING:
    from datasets.budgets.service import Budgets
    from datasets.catalog import Catalog
    from datasets.database.store import Store
    from datasets.engines.base import Engine, EngineLimits
    from datasets.engines.rehearsal import DummyEngine
    from datasets.ledger.service import Ledger
    from datasets.people.service import People
    from datasets.queries.planner import Planner
    from datasets.queries.readiness import Readiness
    from datasets.queries.service import QueryService
    from datasets.stops import Stops
    from privacy.noise import Noise

ENGINE_THREADS = 2
DATABASE_URL_IS_WRONG = Words(
    ja="SUDARE_DATABASE_URL は sqlite:///パス または postgresql://ホスト/名前 のように指定してください",
    en="SUDARE_DATABASE_URL must read like sqlite:///path or postgresql://host/name",
)


@dataclass(frozen=True, kw_only=True)
class Services:
    """The parts, made from the settings. `noise` is OpenDP's unless a test brings its own."""

    settings: Settings
    noise: "Noise | None" = None

    @classmethod
    def from_environment(cls) -> Self:
        """For a command, as the environment's settings say; raises InvalidSetting.

        Logs to standard error, since a command's output is its result.
        """
        import structlog

        structlog.configure(
            processors=[structlog.processors.add_log_level, structlog.processors.LogfmtRenderer()],
            # Asked for at each line: standard error may be another one by then.
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )
        return cls(settings=Settings.read())

    @cached_property
    def store(self) -> "Store":
        from sqlalchemy.exc import ArgumentError

        from datasets.database.store import Store

        try:
            return Store(self.settings.database_url)
        # What SQLAlchemy says of an address repeats it, and it may hold a password.
        except (ValueError, ArgumentError, ImportError):
            raise InvalidSetting(DATABASE_URL_IS_WRONG) from None

    @cached_property
    def people(self) -> "People":
        from datasets.people.service import People

        self._must_not_be_lost()
        return People(self.store, self.settings.secret(), self.settings.previous_secret())

    def _must_not_be_lost(self) -> None:
        """Raise SecretLost where a secret would be made although the database's keys are kept under another one."""
        from datasets.people.errors import SecretLost
        from datasets.people.secret import has_secret

        self.settings.must_name_secret()
        if self.settings.has_secret:
            return
        with self.store.reading() as connection:
            lost = has_secret(connection)
        # The file may have been made since it was looked for, by another that began at the same time.
        if lost and not self.settings.has_secret:
            raise SecretLost(str(self.settings.secret_file))

    def prove_secret(self) -> None:
        """Raise WrongSecret before anything is served; a database that is away is asked at the first request."""
        from datasets.database.errors import NotInitialised, Unavailable

        with suppress(Unavailable, NotInitialised):
            self.people.prove_secret()

    @cached_property
    def ledger(self) -> "Ledger":
        from datasets.ledger.service import Ledger

        return Ledger(self.store)

    @cached_property
    def catalog(self) -> "Catalog":
        from datasets.catalog import Catalog

        return Catalog(self.store, self.settings.data_dir)

    @cached_property
    def stops(self) -> "Stops":
        from datasets.stops import Stops

        return Stops(self.store)

    @cached_property
    def budgets(self) -> "Budgets":
        from datasets.budgets.service import Budgets

        return Budgets(ledger=self.ledger, catalog=self.catalog)

    @cached_property
    def engine(self) -> "Engine":
        from datasets.engines.engines import Engines

        return Engines(self._engine_limits())

    @cached_property
    def dummy_engine(self) -> "DummyEngine":
        from datasets.engines.rehearsal import DummyEngine

        return DummyEngine(self._engine_limits())

    @cached_property
    def readiness(self) -> "Readiness":
        from datasets.queries.readiness import Readiness

        return Readiness(self.store, self.catalog, self.engine)

    @cached_property
    def planner(self) -> "Planner":
        from datasets.queries.planner import Planner, PlannerProcess
        from datasets.queries.preparation import Preparation

        return Planner(
            Preparation(self.dummy_engine, self.noise),
            # Another process would draw noise of its own, where a test wants to see that which it brought.
            None if self.noise else PlannerProcess(self._engine_limits()),
            work_max=self.settings.planning_work_max,
            # At least half of the threads are left for what needs no planning.
            slots=max(1, self.settings.threads // 2),
        )

    @cached_property
    def queries(self) -> "QueryService":
        from datasets.queries.service import QueryService
        from privacy.noise import OpendpNoise

        return QueryService(
            ledger=self.ledger,
            catalog=self.catalog,
            engine=self.engine,
            planner=self.planner,
            noise=self.noise or OpendpNoise(),
            data_dir=self.settings.data_dir,
        )

    def _engine_limits(self) -> "EngineLimits":
        from datasets.engines.base import EngineLimits

        return EngineLimits(
            threads=ENGINE_THREADS,
            timeout_s=self.settings.query_timeout_s,
            temporary=self.settings.data_dir / "temporary",
        )

    def made(self) -> Self:
        """These services with every part made, which a server does before it forks."""
        # Before threads: two that ask for a part at once would make it twice (cached_property has no lock from
        # Python 3.12 on). Before the fork: workers share the memory of what is imported by then.
        for part in ("people", "queries", "budgets", "readiness"):  # queries bring all the others
            getattr(self, part)
        return self


def services() -> Services:
    """The services of the application that handles this request."""
    from flask import current_app  # not at the top: commands work without Flask

    found: Services = current_app.extensions["sudare"]
    return found
