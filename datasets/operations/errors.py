"""Why nothing was backed up, restored or compared. Quotes paths, numbers of lines and the system's own words.

Refusal
├── BackupRefused
├── RestoreRefused
└── ExportRefused
"""

from privacy.refusal import Refusal
from privacy.words import Words


class BackupRefused(Refusal):
    """Nothing was backed up, and what was begun is removed; the words say why."""

    code = "backup_refused"


class RestoreRefused(Refusal):
    """Nothing was restored, and what stood there stands there still; the words say why."""

    code = "restore_refused"


class ExportRefused(Refusal):
    """A file is no whole copy of the journal, or not of the installation that is meant; the words say why."""

    code = "export_refused"


NOT_EMPTY = Words(
    ja="{folder} は空ではありません。バックアップ先には新しいフォルダーを指定してください",
    en="{folder} holds something already: name a new folder for the backup",
)
NOT_WRITTEN = Words(
    ja="バックアップを作成できませんでした。作りかけのものは削除しました：{cause}",
    en="no backup was made, and what was begun of it is removed: {cause}",
)
ODD_FOLDER = Words(
    ja="データベースが、データ用フォルダの中にないバージョンのフォルダ（{folder}）を参照しています。バックアップは作成していません",
    en="the database names a version's folder that is none of the data folder ({folder}); no backup was made",
)
NO_CLIENT = Words(
    ja="PostgreSQL のクライアント（{program}）がこのマシンにありません。サーバーと同じか新しいメジャーバージョンの "
    "PostgreSQL クライアントをインストールしてから、もう一度実行してください",
    en="the client of PostgreSQL ({program}) is not installed on this machine: install PostgreSQL's client programs of "
    "the server's major version or a newer one, and try again",
)
NO_MANIFEST = Words(
    ja="{folder} に完全なバックアップはありません（manifest.json がありません）",
    en="{folder} holds no whole backup: it has no manifest.json, which is written last",
)
DAMAGED = Words(
    ja="バックアップが破損しています：{file}",
    en="the backup is damaged: {file}",
)
OTHER_VERSION = Words(
    ja="このバックアップは別のバージョンのものです。バックアップは sudare {theirs}（データベースのリビジョン "
    "{their_revision}、形式 {their_format}）、このプログラムは sudare {ours}（リビジョン {our_revision}、形式 "
    "{our_format}）です。同じバージョンのプログラムで復元してから、更新してください",
    en="the backup is of another version: sudare {theirs} (database revision {their_revision}, format {their_format}), "
    "and this program is sudare {ours} (revision {our_revision}, format {our_format}). Restore it by a program of its "
    "own version, and upgrade then",
)
OTHER_DATABASE = Words(
    ja="このバックアップは {theirs} のものですが、SUDARE_DATABASE_URL は {ours} です",
    en="the backup is of {theirs}, and SUDARE_DATABASE_URL names {ours}",
)
OCCUPIED = Words(
    ja="復元先にすでにデータがあります（{place}）。置き換える場合は --replace を付けてください",
    en="something stands where the backup should go ({place}): give --replace to replace it",
)
SERVER_RUNS = Words(
    ja="サーバーが稼働しているか、別の復元が実行中です（{folder}）。停止してから、もう一度実行してください",
    en="a server is running, or another restore is ({folder}): stop it, and try again",
)
SESSIONS = Words(
    ja="他の sudare が {count} 件このデータベースに接続しています。すべてのマシンのサーバーを停止してから、もう一度"
    "実行してください",
    en="{count} other sessions of sudare are in this database: stop the servers of all machines, and try again",
)
IN_USE = Words(
    ja="データベース {file} を別のプロセスが使用しています。停止してから、もう一度実行してください",
    en="another process uses the database {file}: stop it, and try again",
)
NO_SPACE = Words(
    ja="{folder} の空き容量が足りません。{needed} バイト必要ですが、{free} バイトしかありません",
    en="{folder} has too little space: {needed} bytes are needed and {free} are free",
)
NOT_RESTORED = Words(
    ja="復元できませんでした。以前の状態はそのままです：{cause}",
    en="nothing was restored, and what stood there before stands there still: {cause}",
)
UNCERTAIN = Words(
    ja="復元が完了したかどうか分かりません（{cause}）。sudare ledger verify で確認し、必要であればもう一度 "
    "--replace を付けて"
    "実行してください",
    en="whether the backup was restored is not known ({cause}): look by sudare ledger verify, and if need be "
    "restore again "
    "with --replace",
)
ANOTHER_STANDS = Words(
    ja="復元先には別のシステム（{theirs}）があります。バックアップは {ours} のものです。SUDARE_DATABASE_URL "
    "を確認してください。"
    "それでも置き換える場合は --discard を付けてください",
    en="another installation stands there ({theirs}; the backup is of {ours}): look at SUDARE_DATABASE_URL, or give "
    "--discard to replace it all the same",
)
LACKS = Words(
    ja="復元先のデータベースには、{file} にない行があります（{chain} の {number} 行目、{at}）。sudare ledger "
    "export で書き出し直して"
    "ください。それらを失ってもよい場合は --discard を付けてください",
    en="the database that stands there has lines that {file} lacks ({chain} line {number}, {at}): export its "
    "journal again "
    "(sudare ledger export), or give --discard to lose them",
)
BAD_LINE = Words(
    ja="{file} は予算台帳の完全な写しではありません：{line} 行目（{why}）",
    en="{file} is no whole copy of the journal: line {line} ({why})",
)
UNKNOWN_KIND = Words(
    ja="{file} の {line} 行目は、このプログラムが再適用できない種類（{kind}）です",
    en="line {line} of {file} is of a kind that this program cannot apply again ({kind})",
)
CANNOT_APPLY = Words(
    ja="{file} の行を再適用できません：{where}",
    en="the lines of {file} cannot be applied again: {where}",
)
OTHER_INSTALLATION = Words(
    ja="{file} は別のシステムの予算台帳の写しです（{theirs}、バックアップは {ours}）",
    en="{file} is the journal of another installation ({theirs}; the backup is of {ours})",
)
OLDER = Words(
    ja="{file} はバックアップより古いものです。{chain} の {number} 行目までが必要ですが、{last} 行目で終わっています",
    en="{file} is older than the backup: of {chain} it must have line {number}, and ends at line {last}",
)
DIFFERS = Words(
    ja="{file} はバックアップと異なります（{chain} の {number} 行目）",
    en="{file} differs from the backup at line {number} of {chain}",
)
