"""The folder in which the workers of one run count for Prometheus. Removes no folder but one that it made."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "sudare-metrics-"


def with_new_folder(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server, with an empty folder of its own."""
    # Workers count apart; Prometheus adds them up through files, and those of an earlier run would be added, too.
    return {**environment, VARIABLE: tempfile.mkdtemp(prefix=PREFIX)}


def remove() -> None:
    """Remove this run's folder; a folder that an operator chose stays."""
    folder = Path(os.environ.get(VARIABLE, ""))
    if folder.name.startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
