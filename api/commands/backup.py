"""`sudare backup` and `sudare restore`: a copy of everything, and the way back that forgets nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.commands.language import sentence
from api.commands.terminal import StageProgress, as_json, echo, operator
from api.services import Services
from privacy.words import Words

if TYPE_CHECKING:
    from datasets.operations.backup import Installed
    from datasets.operations.restore import Restored

BACKED_UP = Words(
    ja="{at} の状態を {folder} にバックアップしました（{files} ファイル、{bytes} バイト）。予算台帳の写し（"
    "sudare ledger export）も別の場所に定期的に保存してください。復元に使います",
    en="backed up to {folder} as of {at}: {files} files, {bytes} bytes. Keep copies of the journal elsewhere, too "
    "(sudare ledger export): a restore needs what it says of the time after this backup",
)
NO_SECRET = Words(
    ja="秘密鍵はこのバックアップに含まれていません（SUDARE_SECRET_KEY で指定されています）。別に保管してください",
    en="the secret is no part of this backup, since SUDARE_SECRET_KEY gives it: keep it elsewhere",
)
ABSENT = Words(
    ja="次のバージョンの行データはバックアップにありません：{folders}",
    en="the rows of these versions are not in the backup: {folders}",
)
RESTORED = Words(ja="{at} のバックアップを復元しました", en="restored the backup of {at}")
APPLIED = Words(
    ja="バックアップ以降の予算台帳の {lines} 行を再適用しました。その間の回答は失われています。"
    "同じ Idempotency-Key で再送された質問は新しい質問となり、予算を消費します",
    en="applied {lines} lines of the journal after it again. Their answers are lost: a retry under the same "
    "idempotency key is a new question and is charged",
)
UNKNOWN_SINCE = Words(
    ja="バックアップ以降の予算台帳がないため、その間の消費、無効化、API キーの再発行は分かりません。そのため、"
    "次のすべてを停止しました。管理者が理由を付けて sudare resume を実行すると、"
    "その理由が予算台帳に残り、再び利用できます",
    en="what was spent, disabled and rotated after the backup is unknown without the journal, so all of these are "
    "stopped. An administrator accepts that by sudare resume with a reason, which the journal keeps",
)
NO_ROWS = Words(
    ja="次のデータセットは、バックアップの後に登録または消去されており、最新の行データがないため停止しました。"
    "登録し直してから sudare resume を実行してください",
    en="of these datasets the newest rows are not in the backup, since they were registered or purged after it: "
    "they are "
    "stopped. Register them again, then sudare resume",
)
KEPT = Words(
    ja="以前のデータベースは {kept} にあります。不要になったら削除してください",
    en="the database that stood there is {kept}: remove it when it is not needed any more",
)
KNOWN_UNTIL = Words(
    ja="予算台帳の写しは {at} までのものです。それより後の消費、無効化、API キーの再発行は失われます。"
    "より新しい写しがあれば、それで"
    "復元し直してください",
    en="the copy of the journal ends at {at}: what was spent, disabled or rotated later is lost. If there is a "
    "newer copy, "
    "restore again with that",
)
FORMER_SECRET = Words(
    ja="秘密鍵はバックアップの後に変更されているため、バックアップの秘密鍵は使用していません。現在の秘密鍵を "
    "secret.key または "
    "SUDARE_SECRET_KEY で指定してください",
    en="the secret was changed after the backup, so that of the backup was left out: give the present one as "
    "secret.key or "
    "SUDARE_SECRET_KEY",
)
VERIFY_WITHOUT = Words(
    ja="バックアップより後に書き出した予算台帳の写しとは、一致しなくなっています（sudare ledger verify --against）",
    en="copies of the journal that were exported after the backup do not agree with this any more (sudare "
    "ledger verify "
    "--against)",
)
VERIFY = Words(
    ja="続けて sudare ledger verify --against で予算台帳の写しと照合してください",
    en="now hold it against a copy of the journal: sudare ledger verify --against",
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@as_json
def backup(folder: Path, as_json: bool) -> None:
    """Back everything up into a new FOLDER, also while the server serves.

    The database at one moment, the rows of every version that it names, the secret where it is a file, and a manifest
    with the digest of every file, which is written last: without one a backup is none. The folder holds personal data.
    PostgreSQL is backed up by pg_dump, which must be installed on this machine.
    """
    from datasets.operations.backup import back_up
    from datasets.operations.manifest import SECRET_KEY

    installed = _installed()
    with StageProgress() as progress:
        made = back_up(installed, folder, progress)
    told = {"at": made.at, "folder": str(folder), "files": len(made.files), "bytes": made.bytes}
    sentences = [BACKED_UP.filled(**told)]
    sentences += [] if SECRET_KEY in made.files else [NO_SECRET]
    sentences += [ABSENT.filled(folders=", ".join(made.absent))] if made.absent else []
    value = told | {"installation": made.installation, "absent": list(made.absent)}
    echo(value, as_json=as_json, text="\n".join(map(sentence, sentences)))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--journal",
    "export",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="EXPORT",
    help="A copy of the journal (sudare ledger export) made after the backup: what it says since is applied again.",
)
@click.option("--replace", is_flag=True, help="Replace what stands in the database and the data folder.")
@click.option(
    "--discard",
    is_flag=True,
    help="Replace even another installation, or a database whose journal has more than EXPORT.",
)
@as_json
def restore(folder: Path, export: Path | None, replace: bool, discard: bool, as_json: bool) -> None:
    """Restore the backup in FOLDER into the configured database and data folder.

    All servers must be stopped. Everything is verified before anything is touched, and all of it is restored or
    nothing. With --journal, what happened after the backup is applied again: charges, grants, keys, people that were
    disabled, stops. Without it every dataset and every user is stopped until an administrator resumes it with a reason
    (sudare resume), since what was spent and disabled after the backup is unknown then. A SQLite database that is
    replaced is kept beside the new one; one on PostgreSQL is not: back it up first.
    """
    from datasets.operations.restore import RestoreRequest
    from datasets.operations.restore import restore as restored_from

    request = RestoreRequest(
        target=_installed(),
        source=folder,
        export=export,
        replace=replace,
        by=operator(),
        discard=discard,
    )
    with StageProgress() as progress:
        done = restored_from(request, progress)
    value = {
        "backup_at": done.backup_at,
        "lines": done.lines,
        "stopped": [{"kind": kind, "id": id} for kind, id in done.stopped],
        "kept": None if done.kept is None else str(done.kept),
        "absent": list(done.absent),
        "known_until": done.known_until,
    }
    echo(value, as_json=as_json, text=_text(done, with_journal=export is not None))


def _installed() -> "Installed":
    from datasets.operations.backup import Installed

    services = Services.from_environment()
    settings = services.settings
    # Where the settings give the secret, a file of it is left over from before and would be taken for the one in use.
    secret_file = None if settings.secret_key else settings.data_dir / "secret.key"
    return Installed(store=services.store, data_dir=settings.data_dir, secret_file=secret_file)


def _text(done: "Restored", *, with_journal: bool) -> str:
    from datasets.stops import KINDS

    lines = [sentence(RESTORED.filled(at=done.backup_at))]
    if with_journal:
        lines.append(sentence(APPLIED.filled(lines=done.lines)))
        lines.append(sentence(KNOWN_UNTIL.filled(at=done.known_until)))
    if done.stopped:
        lines.append(sentence(NO_ROWS if with_journal else UNKNOWN_SINCE))
        lines += [f"  {sentence(KINDS[kind])} {id}" for kind, id in done.stopped]
    if done.absent:
        lines.append(sentence(ABSENT.filled(folders=", ".join(done.absent))))
    if not done.has_secret:
        lines.append(sentence(NO_SECRET))
    if done.has_former_secret:
        lines.append(sentence(FORMER_SECRET))
    if done.kept is not None:
        lines.append(sentence(KEPT.filled(kept=done.kept)))
    lines.append(sentence(VERIFY if with_journal else VERIFY_WITHOUT))
    return "\n".join(lines)
