"""The small town, registered once; `town` is a copy to spend in, `visitor` stands at its door."""

from pathlib import Path

import pytest
from small_town import Town, Visitor, build


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
