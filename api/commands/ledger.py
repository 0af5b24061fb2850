"""`sudare ledger`: the proof that balances and journal agree, and a copy of the journal to keep elsewhere."""

import sys

import click

from api.commands.language import sentence
from api.commands.terminal import as_json, echo
from api.services import Services
from privacy.words import Words

AGREES = Words(
    ja="仕訳帳 {lines} 行：ハッシュの連鎖と残高は一致しています",
    en="{lines} journal lines: chains and balances agree",
)


@click.group()
def ledger() -> None:
    """The ledger: verify it, export its journal."""


@ledger.command("verify")
@as_json
def verify(as_json: bool) -> None:
    """Recompute every chain and balance; exit 1 if anything disagrees."""
    lines = 0

    def count(read: int) -> None:
        nonlocal lines
        lines = read

    found = Services.from_environment().ledger.verify(count)
    findings = [sentence(finding.message()) for finding in found]
    text = "\n".join(findings) or sentence(AGREES.filled(lines=lines))
    echo({"lines": lines, "findings": findings}, as_json=as_json, text=text)
    if findings:
        sys.exit(1)


@ledger.command("export")
def export() -> None:
    """Write the journal as JSON lines, with heads."""
    # Straight to the stream, a part at a time: a journal of years does not fit into memory.
    Services.from_environment().ledger.export(sys.stdout.write)
