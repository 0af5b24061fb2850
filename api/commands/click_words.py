"""click's own messages in Japanese, and the catalogue of them that gettext reads.

click asks gettext for whatever it tells; gettext finds its translations in a file alone. The file beside this module
is made from here (`python -m api.commands.click_words`), and a test holds it against this. Texts of click that no
command of ours can come upon (editors, shell completion, colours) are left out.
"""

import gettext
import os
import struct
import sys
from pathlib import Path

from privacy.words import Language

DOMAIN = "messages"
"""gettext's default domain, which click asks."""
FOLDER = Path(__file__).parent / "locale"
FILE = FOLDER / "ja" / "LC_MESSAGES" / f"{DOMAIN}.mo"
MAGIC = 0x950412DE

CLICK: dict[str | tuple[str, str], str] = {
    "Usage:": "使い方:",
    "Options": "オプション",
    "Commands": "コマンド",
    "Positional arguments": "引数",
    "Show this message and exit.": "この説明を表示します。",
    "Show the version and exit.": "バージョンを表示します。",
    "Error: {message}": "エラー: {message}",
    "Error: invalid input": "エラー: 入力を読み取れません",
    "Error: The two entered values do not match.": "エラー: 入力された 2 つの値が一致しません。",
    "Aborted!": "中止しました。",
    "Repeat for confirmation": "確認のためもう一度入力してください",
    "Do you want to continue?": "続けますか",
    "Try '{command} {option}' for help.": "説明は '{command} {option}' で表示できます。",
    "Missing argument": "引数を指定してください：",
    "Missing option": "オプションを指定してください：",
    "Missing parameter": "指定してください：",
    "Missing {param_type}": "{param_type} を指定してください：",
    "Missing parameter: {param_name}": "{param_name} を指定してください",
    "Missing command.": "コマンドを指定してください。",
    "No such command {name!r}.": "{name!r} というコマンドはありません。",
    "No such option {name!r}.": "{name!r} というオプションはありません。",
    "Did you mean {possibility}?": "{possibility} のことですか。",
    ("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"): (
        "（{possibilities} のことですか）"
    ),
    "Option {name!r} does not take a value.": "オプション {name!r} に値は指定できません。",
    (
        "Option {name!r} requires an argument.",
        "Option {name!r} requires {nargs} arguments.",
    ): "オプション {name!r} に値を指定してください。",
    "Invalid value: {message}": "値が正しくありません：{message}",
    "Invalid value for {param_hint}: {message}": "{param_hint} の値が正しくありません：{message}",
    ("{value!r} is not {choice}.", "{value!r} is not one of {choices}."): (
        "{value!r} は {choices} のいずれでもありません。"
    ),
    "{value!r} is not a valid {number_type}.": "{value!r} は {number_type}ではありません。",
    "{value} is not in the range {range}.": "{value} は範囲 {range} の外です。",
    "{value!r} is not a valid boolean. Recognized values: {states}": (
        "{value!r} は真偽値ではありません。使える値: {states}"
    ),
    "{name} {filename!r} does not exist.": "{name} {filename!r} がありません。",
    "{name} {filename!r} is a directory.": "{name} {filename!r} はフォルダです。",
    "{name} {filename!r} is a file.": "{name} {filename!r} はファイルです。",
    "{name} {filename!r} is not readable.": "{name} {filename!r} を読み込めません。",
    "{name} {filename!r} is not writable.": "{name} {filename!r} に書き込めません。",
    "{name} {filename!r} is not executable.": "{name} {filename!r} は実行できません。",
    "Could not open file {filename!r}: {message}": "ファイル {filename!r} を開けません：{message}",
    ("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"): (
        "余分な引数があります（{args}）"
    ),
    "file": "ファイル",
    "directory": "フォルダ",
    "path": "パス",
    "unknown error": "不明なエラー",
    "default: {default}": "既定値: {default}",
    "required": "必須",
    "Choose from:\n\t{choices}": "次から選んでください：\n\t{choices}",
}


def speak(spoken: Language) -> None:
    """Have click tell its own messages in this language."""
    gettext.bindtextdomain(DOMAIN, str(FOLDER))
    # gettext asks the environment which language to look for; ours may be set by SUDARE_LANGUAGE alone.
    os.environ["LANGUAGE"] = spoken


def catalogue() -> bytes:
    """The messages as a catalogue of GNU gettext (its manual, section 10.3, "The Format of GNU MO Files")."""
    messages = {"": "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=1; plural=0;\n"}
    messages |= {"\0".join([key] if isinstance(key, str) else key): text for key, text in CLICK.items()}
    # Readers may look messages up by halving, so they stand in the order of their bytes.
    pairs = sorted((key.encode(), text.encode()) for key, text in messages.items())
    count, begin = len(pairs), 28
    keys, texts = [key for key, _ in pairs], [text for _, text in pairs]
    bodies = begin + 16 * count
    table, at = [], bodies
    for one in (*keys, *texts):
        table += [len(one), at]
        at += len(one) + 1
    head = struct.pack("<7I", MAGIC, 0, count, begin, begin + 8 * count, 0, bodies)
    return head + struct.pack(f"<{len(table)}I", *table) + b"".join(one + b"\0" for one in (*keys, *texts))


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    sys.exit(FILE.write_bytes(catalogue()) == 0)
