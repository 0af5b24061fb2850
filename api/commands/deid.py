"""`sudare deid`: a plan and a file become a record set and its report.

Exit codes: 0 done, 1 refused, 2 wrong use, 3 no solution (the report explains it).
"""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from api.commands.language import cause_of, sentence
from api.commands.language import language as language_of_operator
from api.commands.terminal import StageProgress
from privacy.words import LANGUAGES, Language, Words

if TYPE_CHECKING:
    from datasets.records.report import Report

NO_SOLUTION = 3
STOPPED = Words(ja="中止しました。何も書き出していません", en="stopped; nothing was written")
TOO_LARGE = Words(
    ja="記憶域が足りません。何も書き出していません",
    en="there is not enough memory for this; nothing was written",
)
NOT_SOLVED = Words(ja="解がありません：", en="no solution:")
SEE = Words(ja="{out}/report.html をご覧ください", en="see {out}/report.html")
OPTIMAL = Words(ja="最適であることを証明済み", en="proven optimal")
GAP = Words(ja="最適との差は {gap} 以下", en="gap at most {gap}")
SCHEMES = Words(ja="{schemes} 通りの段階の組", en="{schemes} schemes")
PUBLISHED = Words(
    ja="{published} 件のレコード（うち {suppressed} 件は値を伏せています）を {out}/records.csv に書き出しました",
    en="{published} records, {suppressed} of them suppressed, in {out}/records.csv",
)
LOSS = Words(ja="情報損失 {loss}（{proven}）", en="loss {loss} ({proven})")
MET = Words(ja="満たしている基準：{model}", en="met: {model}")
READ_FIRST = Words(
    ja="提供の前に {out}/report.html をお読みください",
    en="read {out}/report.html before anything is given away",
)
STOPPING = Words(
    ja="中止しています。もう一度 Ctrl-C を押すと直ちに終了します", en="stopping; Ctrl-C again leaves at once"
)

file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("plan", type=file)
@click.option("--data", required=True, type=file, help="CSV or Parquet.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to make.")
@click.option("--force", is_flag=True, help="Replace an earlier record set in that folder.")
@click.option("--key-file", type=file, help="The key of pseudonyms (32 bytes or more), kept apart by you.")
@click.option(
    "--language", type=click.Choice(LANGUAGES), help="Of the report; without it, as the plan says, or both."
)
@click.option("--json", "as_json", is_flag=True, help="Print report.json.")
def deid(
    plan: Path,
    data: Path,
    out: Path,
    force: bool,
    key_file: Path | None,
    language: Language | None,
    as_json: bool,
) -> None:
    """Make a de-identified record set from DATA as a processing plan says, with a report.

    Ctrl-C during the search takes the best found so far; a second one leaves nothing behind.
    """
    report = _run(plan, data, out, force=force, key_file=key_file, language=language)
    if as_json:
        click.echo(report.as_json(), nl=False)
    else:
        click.echo(_summary(report.body, out))
    if not report.is_solved:
        sys.exit(NO_SOLUTION)


def _run(
    plan: Path, data: Path, out: Path, *, force: bool, key_file: Path | None, language: Language | None
) -> "Report":
    """The run, with what stops it as a sentence. Compiled code is loaded only here."""
    from datasets.records.plan.entries import PlanError
    from datasets.records.plan.reading import read
    from privacy.deidentify.errors import Cancelled

    try:
        asked = read(plan)
        # After the plan, so that its faults are shown before seconds go into loading compiled code.
        from datasets.records.run import Job, run

        job = Job(plan=asked, data=data, out=out, force=force, key=_key(key_file))
        with _interrupts() as pressed, StageProgress() as progress:
            return run(
                job,
                render=lambda report: _files(report, _languages(language or asked.output.language)),
                progress=progress,
                stop=lambda: bool(pressed),
            )
    except PlanError as refusal:
        # The plan's name before each fault, as compilers write it, so that editors find the place.
        faults = [fault.placed().within(language_of_operator()) for fault in refusal.faults]
        raise click.ClickException("\n".join(f"{plan}: {fault}" for fault in faults)) from None
    except (Cancelled, KeyboardInterrupt):
        raise click.ClickException(sentence(STOPPED)) from None
    except MemoryError:
        raise click.ClickException(sentence(TOO_LARGE)) from None
    # Only what the system says of the cause: the file's name is often that of a draft, which is gone by then.
    except OSError as fault:
        cause = cause_of(fault)
        failed = Words(ja=f"{cause}（何も書き出していません）", en=f"{cause}; nothing was written")
        raise click.ClickException(sentence(failed)) from None


def _key(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()


def _languages(asked: Any) -> tuple[Language, ...]:
    return LANGUAGES if asked is None else (asked,)


def _files(report: "Report", languages: tuple[Language, ...]) -> Mapping[str, str]:
    from api.records.report_page import page

    return {"report.json": report.as_json(), "report.html": page(report, languages)}


def _summary(body: Mapping[str, Any], out: Path) -> str:
    """What an operator wants to know first."""
    chosen = language_of_operator()
    if not body["solved"]:
        reasons = body["reasons_ja" if chosen == "ja" else "reasons"]
        return "\n".join(
            [sentence(NOT_SOLVED), *(f"  {reason}" for reason in reasons), sentence(SEE.filled(out=out))]
        )
    # Local recoding has no one set of levels whose loss could be proven least, but as many as it used.
    proven = OPTIMAL if body["optimal"] else GAP.filled(gap=f"{body.get('gap') or 0:.6g}")
    if body["levels"] is None:
        proven = SCHEMES.filled(schemes=body["schemes"])
    published = body["rows"]["published"]
    return "\n".join(
        [
            sentence(PUBLISHED.filled(published=published, suppressed=body["suppressed"], out=out)),
            sentence(LOSS).format(loss=f"{body['loss']:.9f}", proven=sentence(proven)),
            *(sentence(MET).format(model=model["title"][chosen]) for model in body["models"]),
            body["standard"]["words"][chosen],
            sentence(READ_FIRST.filled(out=out)),
        ]
    )


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Ctrl-C once asks to stop, twice stops at once; where no handler can be set, Ctrl-C stops at once."""
    pressed: list[int] = []

    def press(number: int, frame: FrameType | None) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        click.echo(f"\n{sentence(STOPPING)}", err=True)

    try:
        before = signal.signal(signal.SIGINT, press)
    # Python sets handlers in the main thread only.
    except ValueError:
        yield pressed
        return
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
