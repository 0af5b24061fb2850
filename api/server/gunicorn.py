"""gunicorn's settings: threads, loaded before forking, connections opened after, a graceful stop."""

import gc
import os
from typing import Any

from prometheus_client import multiprocess

from api.server import metrics_folder, serving
from api.settings import Settings

_settings = Settings.read()
bind = _settings.bind
workers = _settings.workers
threads = _settings.threads
worker_class = "api.server.worker.BufferingWorker"
# Fewer than the files a process may have open by default (1024): where there are none left, nobody is accepted.
worker_connections = 512
# Files are sent like all else, so that the worker can keep what a client does not take at once.
sendfile = False
# By default gunicorn believes whoever connects from this machine which scheme a client used. `public_address` decides.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
# No proxy is asked to set these, and a client behind one on this machine could: a path that does not fit is a fault.
forwarder_headers = ""
preload_app = True
# Longer than the longest query, or the master would kill a worker that computes an answer already paid for.
timeout = _settings.query_timeout_s + 60
graceful_timeout = 30
keepalive = 5
limit_request_line = 8_190
limit_request_fields = 64
# Nobody commands the server through this socket: a door less.
control_socket_disable = True
loglevel = "warning"


def on_starting(server: Any) -> None:
    """Before anything else: the data folder is held for as long as this process or one of its workers lives."""
    serving.hold(_settings.data_dir)


def when_ready(server: Any) -> None:
    """Before workers are forked: what is loaded by now stays for ever."""
    # The collector would walk through all of it every so often, for a tenth of a second in the middle of a request,
    # and copy the pages that workers share.
    gc.collect()
    gc.freeze()


def post_fork(server: Any, worker: Any) -> None:
    """A worker opens its own connections."""
    # A database connection shared over a fork mixes up the answers of two processes. The parent has loaded the
    # application before forking; asked for again, gunicorn gives back the same one.
    worker.app.wsgi().extensions["sudare"].store.close()


def worker_exit(server: Any, worker: Any) -> None:
    """A worker ends."""
    # What is frozen, the interpreter never collects at its end: DuckDB's library then reports all of it as leaked,
    # in hundred lines on standard error that look like a fault.
    gc.unfreeze()


def on_exit(server: Any) -> None:
    """The master ends: remove the counters of this run."""
    gc.unfreeze()
    metrics_folder.remove()


def child_exit(server: Any, worker: Any) -> None:
    """Keep a dead worker's counters, drop its gauges."""
    if metrics_folder.VARIABLE in os.environ:
        multiprocess.mark_process_dead(worker.pid)
