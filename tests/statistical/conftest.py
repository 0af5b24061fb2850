"""The audit's figures stand at the end of a run: what was charged, and how much was seen of it from outside."""

from typing import Any

import pytest

HEAD = ("question", "charge", "certainly at least", "estimate", "persons guessed")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line for each figure that a test recorded as `audit`."""
    reports: list[pytest.TestReport] = [
        report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])
    ]
    figures = [figure for report in reports for name, figure in report.user_properties if name == "audit"]
    if figures:
        terminalreporter.section("audit")
        for line in (HEAD, *figures):
            terminalreporter.write_line(f"{line[0]:<44}" + "".join(f"{text:>20}" for text in line[1:]))
