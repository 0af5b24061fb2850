"""Prometheus metrics: requests, times, refusals and failures, and the ledger's totals. /metrics needs a key.

Nothing of it names a user, a question or anything that a caller chose.
"""

import os
from collections.abc import Iterator
from importlib.metadata import version

from flask import Blueprint, Flask, Response, g
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from api.http.headers import elapsed_s
from api.http.roles import allowed
from api.server.routes import method_name, route_name
from api.services import Services, services
from datasets.database.revision import newest
from datasets.ledger.totals import LedgerTotals, ledger_totals

# Made at import: the registry belongs to the process, and an application made twice would register them twice.
REQUESTS = Counter("sudare_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("sudare_request_seconds", "Time to answer.", ["route"])
REFUSALS = Counter("sudare_refusals_total", "Requests refused, by the code of the problem.", ["code"])
FAILURES = Counter("sudare_failures_total", "Requests answered with a status of 500 or more.")
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
FAILURE_STATUS_MIN = 500
blueprint = Blueprint("metrics", __name__)


def install(app: Flask) -> None:
    """Count and time every request of the application."""
    app.after_request(_count)


def _count(response: Response) -> Response:
    REQUESTS.labels(method_name(unknown="none"), route_name(), response.status_code).inc()
    SECONDS.labels(route_name()).observe(elapsed_s())
    if (code := g.get("problem_code")) is not None:
        REFUSALS.labels(code).inc()
    if response.status_code >= FAILURE_STATUS_MIN:
        FAILURES.inc()
    return response


class InstallationCollector(Collector):
    """What the database tells: the same whichever worker, of whichever machine, is asked."""

    def __init__(self, totals: LedgerTotals, revision: str) -> None:
        self._totals, self._revision = totals, revision

    def collect(self) -> Iterator[Metric]:
        """The caps by dataset or population, settlements, lines of the journal, and which program this is."""
        totals = self._totals
        granted = GaugeMetricFamily("sudare_budget_granted", "Caps: ε or ρ.", labels=["kind", "name"])
        left = GaugeMetricFamily(
            "sudare_budget_remaining", "What caps have left: ε or ρ.", labels=["kind", "name"]
        )
        for cap in totals.caps:
            granted.add_metric([cap.kind, cap.name], float(cap.granted))
            left.add_metric([cap.kind, cap.name], float(cap.remaining))
        yield from (granted, left)
        yield CounterMetricFamily("sudare_settlements", "Answers settled.", value=totals.settlements)
        yield GaugeMetricFamily(
            "sudare_journal_lines", "Lines of all journals together.", value=totals.journal_lines
        )
        build = {"version": version("sudare"), "revision": self._revision}
        yield InfoMetricFamily("sudare_build", "The program's version, the tables' revision.", value=build)


@blueprint.get("/metrics")
@allowed("administrator", "monitor")
def metrics() -> Response:
    """Prometheus metrics of all workers. Needs a monitor's or an administrator's key: it is not public."""
    registry = REGISTRY
    if MULTIPROCESS in os.environ:
        # Each worker keeps counters of its own in files; a reader wants their sums, whichever worker answers.
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    text = generate_latest(registry) + generate_latest(_of_installation(services()))
    return Response(text, content_type=CONTENT_TYPE_LATEST)


def _of_installation(found: Services) -> CollectorRegistry:
    # A registry of its own: the process's is made once, and would ask the database when an application is made.
    registry = CollectorRegistry()
    registry.register(InstallationCollector(ledger_totals(found.store), newest()))
    return registry
