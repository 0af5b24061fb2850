"""What the command line tells of itself, in Japanese: helps of commands and options by their English text.

A command and an option say in English what they do; here stands the same in Japanese, paragraph by paragraph, so
that a changed help without its Japanese is noticed (`tests/unit/test_spoken_commands.py`). Owns no rule.
"""

HELP: dict[str, str] = {
    "Sudare: differentially private statistics from registers of local governments.": (
        "Sudare：自治体の個人情報ファイルから差分プライバシーの統計を作ります。"
    ),
    "Show the version and exit.": "バージョンを表示します。",
    "Show this message and exit.": "この説明を表示します。",
    "Print JSON.": "JSON で表示します。",
    "Required.": "必須。",
    "Required; for the journal.": "必須。予算台帳に残ります。",
    "For the journal.": "予算台帳に残ります。",
    # backups
    "Back everything up into a new FOLDER, also while the server serves.": (
        "すべてを新しいフォルダにバックアップします。サーバーの稼働中でも実行できます。"
    ),
    "The database at one moment, the rows of every version that it names, the secret where it is a file, and a "
    "manifest with the digest of every file, which is written last: without one a backup is none. The folder holds "
    "personal data. PostgreSQL is backed up by pg_dump, which must be installed on this machine.": (
        "ある時点のデータベース、その中の各バージョンの行データ、ファイルにある秘密鍵、全ファイルのハッシュ値の一覧"
        "（最後に書かれ、これがないものは完全なバックアップではありません）を保存します。フォルダには個人情報が含まれます。"
        "PostgreSQL には、このマシンに pg_dump が必要です。"
    ),
    "Restore the backup in FOLDER into the configured database and data folder.": (
        "指定したフォルダのバックアップを、設定されたデータベースとデータ用フォルダに復元します。"
    ),
    "All servers must be stopped. Everything is verified before anything is touched, and all of it is restored or "
    "nothing. With --journal, what happened after the backup is applied again: charges, grants, keys, people that "
    "were disabled, stops. Without it every dataset and every user is stopped until an administrator resumes it with "
    "a reason (sudare resume), since what was spent and disabled after the backup is unknown then. A SQLite "
    "database that is replaced is kept beside the new one; one on PostgreSQL is not: back it up first.": (
        "すべてのサーバーを停止してから実行してください。先に全体を検証し、すべてを復元するか、何も変えないかのどちらかです。"
        "--journal を指定すると、バックアップの後の予算の消費、付与、API キー、無効化、停止を再び適用します。"
        "指定しない場合、その間のことが分からないため、管理者が理由を付けて再開する（sudare resume）まで、"
        "すべてのデータセットと利用者を停止します。置き換えられる SQLite のデータベースは新しいものの横に残りますが、"
        "PostgreSQL のものは残りません。先にバックアップしてください。"
    ),
    "A copy of the journal (sudare ledger export) made after the backup: what it says since is applied again.": (
        "バックアップの後に書き出した予算台帳の写し（sudare ledger export）。その後の内容を再び適用します。"
    ),
    "Replace what stands in the database and the data folder.": (
        "データベースとデータ用フォルダにあるものを置き換えます。"
    ),
    "Replace even another installation, or a database whose journal has more than EXPORT.": (
        "別のシステムや、予算台帳に写しより多くの行があるデータベースも置き換えます。"
    ),
    # budgets
    "Budgets.": "予算。",
    "Show what changed a dataset's limits, the oldest first: who, why, and what was spent by then.": (
        "データセットの上限の変更を古い順に表示します（だれが、なぜ、その時点の消費）。"
    ),
    "Show accounts: granted, spent, remaining; in ρ where the measure is zcdp, then also as (ε, δ).": (
        "口座の付与、消費、残りを表示します。measure が zcdp の場合は ρ で、(ε, δ) も併せて示します。"
    ),
    "Grant budget, with a reason, to a user, an organisation, or the cap of a dataset or a population.": (
        "利用者、組織、またはデータセットや母集団の上限に、理由を付けて予算を付与します。"
    ),
    "Required, but for --population.": "--population のとき以外は必須。",
    "Change the cap over everybody; more needs a second person.": (
        "全員に共通の上限を変えます。引上げには 2 人目の承認が必要です。"
    ),
    "Change the cap over all registers of a population; more needs a second person.": (
        "母集団の個人情報ファイルすべてに共通の上限を変えます。引上げには 2 人目の承認が必要です。"
    ),
    "How much, where the measure is pure.": "予算の量（measure が pure の場合）。",
    "How much, where the measure is zcdp.": "予算の量（measure が zcdp の場合）。",
    "Take back what is unspent, at once.": "未使用の予算を直ちに取り消します。",
    "Approve a pending grant as a second administrator, by its API key: from SUDARE_KEY, or asked for.": (
        "承認待ちの付与を、2 人目の管理者として API キーで承認します（SUDARE_KEY から、なければ尋ねます）。"
    ),
    "Decline a pending grant: as the administrator of the key in SUDARE_KEY, or else as the operator.": (
        "承認待ちの付与を取り下げます（SUDARE_KEY の管理者として、なければ運用担当者として）。"
    ),
    "List grants, newest first.": "付与を新しい順に表示します。",
    "Only those that wait for a second person.": "2 人目の承認を待っているものだけ。",
    # datasets
    "Datasets: check, register, list, show, retire, purge.": "データセットの確認、登録、一覧、表示、廃止、消去。",
    "Check a descriptor, and a source against it, without registering anything.": (
        "データ定義ファイルと、それに照らした元データを、登録せずに確認します。"
    ),
    "Also read this source and report on it.": "この元データも読み、結果を報告します。",
    "List the datasets.": "データセットの一覧を表示します。",
    "Destroy the rows of a version that does not answer any more, for ever: its statistics and its vault.": (
        "回答に使われなくなったバージョンの行データ（集計用と保管用）を永久に消去します。"
    ),
    "Register a source, or a view of registered datasets, as a dataset's next version.": (
        "元データ、または登録済みデータセットのビューを、データセットの次のバージョンとして登録します。"
    ),
    "CSV or Parquet; a view has none.": "CSV または Parquet。ビューにはありません。",
    "Why most of its people are not those of the other register; for the journal.": (
        "大部分の人が別の個人情報ファイルの人ではない理由。予算台帳に残ります。"
    ),
    "Stop answering new questions; what was told and spent stays.": (
        "新しい質問への回答をやめます。これまでの回答と予算の消費は残ります。"
    ),
    "Show a dataset's terms and its accounts.": "データセットの条件と口座を表示します。",
    "Let a dataset answer again that was retired less than 24 hours ago.": (
        "廃止から 24 時間以内のデータセットを、再び回答に使えるようにします。"
    ),
    # record sets
    "Make a de-identified record set from DATA as a processing plan says, with a report.": (
        "加工計画に従って元データから匿名加工した記録集を、報告書とともに作ります。"
    ),
    "Ctrl-C during the search takes the best found so far; a second one leaves nothing behind.": (
        "探索中に Ctrl-C を押すと、それまでの最良のものを使います。もう一度押すと、何も残しません。"
    ),
    "CSV or Parquet.": "CSV または Parquet。",
    "The folder to make.": "作成するフォルダ。",
    "Replace an earlier record set in that folder.": "そのフォルダにある以前の記録集を置き換えます。",
    "The key of pseudonyms (32 bytes or more), kept apart by you.": (
        "仮IDの鍵（32 バイト以上）。別に保管してください。"
    ),
    "Of the report; without it, as the plan says, or both.": "報告書の言語。なければ計画のとおり、または両方。",
    "Print report.json.": "report.json を表示します。",
    # the sample city
    "Set up the sample city, ask one question over HTTP, and serve until Ctrl-C.": (
        "架空の市を作り、HTTP で質問を一つして、Ctrl-C まで稼働します。"
    ),
    "Stop after the question.": "質問の後で終了します。",
    "Residents of the sample city.": "架空の市の住民の数。",
    # the server
    "Create or upgrade the database, the data directory and the secret.": (
        "データベース、データ用フォルダ、秘密鍵を作成または更新します。"
    ),
    "Take the secret though the keys were made under another: every key has to be rotated.": (
        "別の秘密鍵で作られた API キーがあっても、この秘密鍵を使います。すべての API キーの再発行が必要になります。"
    ),
    "Do what waits for time, until stopped: clean up what interrupted work left behind.": (
        "停止するまで、定期的な作業（中断した作業の後片付け）を行います。"
    ),
    "Do every job once and end; exit 1 if one failed.": (
        "すべての作業を 1 回行って終了します。失敗があれば終了コードは 1 です。"
    ),
    "End when this process, the parent, is gone.": "この親プロセスが終わったら終了します。",
    "Serve until stopped (gunicorn, threads, loaded before forking).": "停止するまでサーバーを稼働します。",
    "Print openapi.yaml as the code describes it.": "プログラムから作った openapi.yaml を表示します。",
    # the ledger
    "The ledger: verify it, export its journal.": "予算台帳の検証と書出し。",
    "Write the journal as JSON lines, with heads.": "予算台帳を JSON の行として、各連鎖の先頭とともに書き出します。",
    "Recompute every chain and balance; exit 1 if anything disagrees.": (
        "すべての連鎖と残高を計算し直します。一致しないものがあれば終了コードは 1 です。"
    ),
    "With --against, also where a line of the copy is missing here or is another one; lines beyond the copy are "
    "fine.": (
        "--against を指定すると、写しの行がここにない場合や異なる場合も報告します。写しより後の行はあっても構いません。"
    ),
    "Also compare with a copy of the journal that was kept elsewhere: what it has must be here, line by line.": (
        "別に保管した予算台帳の写しとも、1 行ずつ照合します。"
    ),
    # people
    "Organisations.": "組織。",
    "Add an organisation.": "組織を追加します。",
    "What people call it in Japanese.": "日本語の表示名。",
    "What people call it in English.": "英語の表示名。",
    "List all organisations.": "すべての組織を表示します。",
    "Change what people call an organisation.": "組織の表示名を変更します。",
    "Users and their keys.": "利用者と API キー。",
    "Add a user and print its key, which is shown only now.": (
        "利用者を追加し、API キーを表示します。API キーが表示されるのはこの 1 回だけです。"
    ),
    "End a user's access at once.": "利用者を直ちに無効化します。",
    "Give a disabled user its access back, with a new key, which is shown only now.": (
        "無効化した利用者を新しい API キーで再び有効にします。API キーが表示されるのはこの 1 回だけです。"
    ),
    "List all users.": "すべての利用者を表示します。",
    "Give a user a new key; the old one ends at once.": (
        "利用者に新しい API キーを発行します。以前の API キーは直ちに無効になります。"
    ),
    "Show a user.": "利用者を表示します。",
    # stops
    "Let a stopped dataset, organisation or user go on.": "停止したデータセット、組織、利用者を再開します。",
    "With all of its versions, names and views.": "すべてのバージョン、名前、ビューを含みます。",
    "All of its users.": "その利用者全員。",
    "Everything that is stopped.": "停止しているものすべて。",
    "Stop a dataset, an organisation or a user at once, until it is resumed.": (
        "データセット、組織、利用者を、再開するまで直ちに停止します。"
    ),
    "Nothing of a stopped dataset is answered or told again; every request of a stopped user is refused.": (
        "停止したデータセットについては、以前の回答も含めて何も答えません。停止した利用者の要求はすべて拒否します。"
    ),
    "List what is stopped, since when, by whom and why.": "停止しているものと、その日時、人、理由を表示します。",
}

METAVARS = {
    "text": "文字列",
    "integer": "整数",
    "integer range": "整数",
    "decimal": "数値",
    "path": "パス",
    "file": "ファイル",
    "directory": "フォルダ",
}
"""What stands for an option's value, by click's name of its type."""

STAGES = {
    "read": "読込み",
    "reading": "読込み",
    "coding": "符号化",
    "bounding": "行数の確認",
    "comparing": "照合",
    "joining": "結合",
    "writing": "書出し",
    "prepare": "準備",
    "search": "探索",
    "verify": "検証",
    "report": "報告書",
    "write": "書出し",
    "data": "データ",
    "database": "データベース",
    "journal": "予算台帳",
}
"""Stages of long work, by the names that the work gives them."""
