"""The folder of a run's counters goes with the run; one that an operator chose stays."""

from pathlib import Path

import pytest

from api.server import metrics_folder


def test_a_folder_made_for_a_run_is_removed_with_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(metrics_folder.with_new_folder({})[metrics_folder.VARIABLE])
    (folder / "counter_1.db").write_bytes(b"\0")
    monkeypatch.setenv(metrics_folder.VARIABLE, str(folder))
    metrics_folder.remove()
    assert not folder.exists()


def test_a_folder_of_the_operator_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(metrics_folder.VARIABLE, str(tmp_path))
    metrics_folder.remove()
    assert tmp_path.exists()
    monkeypatch.delenv(metrics_folder.VARIABLE)
    metrics_folder.remove()
