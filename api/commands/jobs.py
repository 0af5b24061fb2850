"""`sudare jobs`: what waits for time, done beside the server or by a timer of the system."""

import os
import signal
import sys
import time

import click

from api.commands.language import sentence
from api.server.serving import hold
from api.services import Services
from datasets.jobs.leases import Leases
from datasets.jobs.runner import JobRunner, Outcome
from datasets.jobs.sweeps import sweeps
from datasets.registration.folders import sweep_abandoned
from privacy.words import Words

LOOK_S = 10.0
"""Seconds between two looks at what is due."""
PARENT_LOOK_S = 1.0
NICENESS = 10

TOLD = {
    "done": Words(ja="{title}：完了（{count} 件）", en="{title}: done ({count})"),
    "failed": Words(
        ja="{title}：失敗（{failure}）。次回に再び実行します",
        en="{title}: failed ({failure}); it will be tried again",
    ),
    "elsewhere": Words(
        ja="{title}：別のプロセスが実行中か、いま実行を終えたところです",
        en="{title}: another process does it now, or has just done it",
    ),
}


@click.command()
@click.option("--once", is_flag=True, help="Do every job once and end; exit 1 if one failed.")
@click.option("--server", type=int, hidden=True, help="End when this process, the parent, is gone.")
def jobs(once: bool, server: int | None) -> None:
    """Do what waits for time, until stopped: clean up what interrupted work left behind."""
    services = Services.from_environment()
    # A server waits for its database; an operator wants to be told.
    if server is None:
        services.store.must_be_current()
    data_dir = services.settings.data_dir
    # Nobody restores into the folder while jobs work in it.
    hold(data_dir)
    jobs_of_folder = sweeps(data_dir, lambda: len(sweep_abandoned(data_dir, services.store)))
    runner = JobRunner(jobs_of_folder, Leases(services.store))
    if once:
        _show(runner.run_each_once())
    else:
        _run_on(runner, services.settings.log_level, server)


def _show(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        told = sentence(TOLD[outcome.state])
        title = sentence(outcome.job.title)
        click.echo(told.format(title=title, count=outcome.count, failure=outcome.failure))
    if any(outcome.state == "failed" for outcome in outcomes):
        sys.exit(1)


def _run_on(runner: JobRunner, log_level: str, server: int | None) -> None:
    """Look at what is due again and again, until a signal comes or the server is gone."""
    from api.server.logs import set_up_logs

    set_up_logs(log_level)
    # Whoever asks the server something goes first.
    os.nice(NICENESS)
    for end in (signal.SIGTERM, signal.SIGINT):
        # An exception: what runs lets go of its lease on the way out.
        signal.signal(end, _leave)
    next_look = 0.0
    while server is None or os.getppid() == server:
        if time.monotonic() >= next_look:
            runner.run_due()
            next_look = time.monotonic() + LOOK_S
        time.sleep(PARENT_LOOK_S)


def _leave(number: int, _frame: object) -> None:
    sys.exit(0)
