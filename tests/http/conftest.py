"""The small town, registered once; `town` is a copy to spend in, `visitor` stands at its door."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lasting_planners import LastingPlanners
from small_town import Town, Visitor, build

from datasets.queries import planner


@pytest.fixture(scope="session", autouse=True)
def _planners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One process for planning at a time, whichever server of a test asks it."""
    with pytest.MonkeyPatch.context() as patched:
        planners = LastingPlanners(planner._started, tmp_path_factory.mktemp("planning"))
        patched.setattr(planner, "_started", planners)
        yield
        planners.end()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A town that nobody spends in."""
    return build(tmp_path_factory.mktemp("town") / "small")


@pytest.fixture(scope="session")
def onlooker(template: Town) -> Visitor:
    """For requests that change nothing."""
    return template.open()


@pytest.fixture
def town(template: Town, tmp_path: Path) -> Town:
    return template.copy(tmp_path / "town")


@pytest.fixture
def visitor(town: Town) -> Visitor:
    return town.open()
