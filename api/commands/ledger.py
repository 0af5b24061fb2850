"""`sudare ledger`: the proof that balances and journal agree, and a copy of the journal to keep elsewhere."""

import sys
from pathlib import Path

import click

from api.commands.language import sentence
from api.commands.terminal import as_json, echo
from api.services import Services
from privacy.words import Words

AGREES = Words(
    ja="予算台帳 {lines} 行：ハッシュの連鎖と残高は一致しています",
    en="{lines} journal lines: chains and balances agree",
)


@click.group()
def ledger() -> None:
    """The ledger: verify it, export its journal."""


@ledger.command("verify")
@click.option(
    "--against",
    "export_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="EXPORT",
    help="Also compare with a copy of the journal that was kept elsewhere: what it has must be here, line by line.",
)
@as_json
def verify(export_file: Path | None, as_json: bool) -> None:
    """Recompute every chain and balance; exit 1 if anything disagrees.

    With --against, also where a line of the copy is missing here or is another one; lines beyond the copy are fine.
    """
    lines = 0

    def count(read: int) -> None:
        nonlocal lines
        lines = read

    services = Services.from_environment()
    found = services.ledger.verify(count)
    if export_file is not None:
        from datasets.operations.comparison import compare

        found += compare(services.store, export_file)
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
