"""What people read in a refusal, in English and Japanese. Codes and pointers are never translated.

`{given}` quotes the caller, `{expected}` quotes the public schema or a limit; nothing here can quote data.
"""

PROBLEMS: dict[str, tuple[int, tuple[str, str], tuple[str, str]]] = {
    # code: status, title (en, ja), detail (en, ja)
    "malformed_json": (
        400,
        ("The body is not readable JSON", "本文を JSON として読めません"),
        ("Nothing was read and nothing was charged.", "データは読まれず、課金もされていません。"),
    ),
    "bad_request": (
        400,
        ("The request cannot be understood", "リクエストを解釈できません"),
        ("See errors for the place.", "該当箇所は errors を参照してください。"),
    ),
    "unauthenticated": (
        401,
        ("A valid API key is needed", "有効な API キーが必要です"),
        ("Send it as Authorization: Bearer sdr_….", "Authorization: Bearer sdr_… として送ってください。"),
    ),
    "forbidden": (
        403,
        ("Your role does not allow this", "この操作は許可されていません"),
        ("This needs the role {expected}.", "この操作には {expected} の役割が必要です。"),
    ),
    "budget_exhausted": (
        403,
        ("The privacy budget does not cover this", "プライバシー予算が足りません"),
        (
            "{given} has {expected} left. Budgets do not refill by themselves; an administrator may grant more.",
            "{given} の残りは {expected} です。予算は自動では戻りません。管理者が追加できます。",
        ),
    ),
    "above_query_limit": (
        403,
        ("One query may not cost that much", "1 回の質問の上限を超えています"),
        (
            "The price {given} is above the limit of {expected} a query.",
            "価格 {given} は 1 回の上限 {expected} を超えています。",
        ),
    ),
    "not_found": (
        404,
        ("There is nothing here for you", "見つかりません"),
        (
            "It does not exist, or it is not open to you.",
            "存在しないか、あなたには公開されていません。",
        ),
    ),
    "method_not_allowed": (
        405,
        ("This method is not allowed here", "このメソッドは使えません"),
        ("See the Allow header.", "Allow ヘッダを参照してください。"),
    ),
    "not_acceptable": (
        406,
        ("None of the formats you accept is available", "受け取れる形式がありません"),
        ("Available: {expected}.", "利用できる形式: {expected}"),
    ),
    "idempotency_conflict": (
        409,
        (
            "This Idempotency-Key belongs to another question",
            "この Idempotency-Key は別の質問に使われています",
        ),
        ("Use a new key for a new question.", "新しい質問には新しいキーを使ってください。"),
    ),
    "conflict": (
        409,
        ("This cannot be done in the present state", "現在の状態では実行できません"),
        ("{expected}", "{expected}"),
    ),
    "in_progress": (
        409,
        ("The same question is being answered", "同じ質問に回答中です"),
        ("Try again shortly with the same key.", "同じキーで少し後に再度お試しください。"),
    ),
    "gone": (
        410,
        ("This dataset has been retired", "このデータセットは廃止されました"),
        ("Earlier answers can still be read.", "過去の回答は引き続き読めます。"),
    ),
    "body_too_large": (
        413,
        ("The body is too large", "本文が大きすぎます"),
        ("At most {expected} bytes are read.", "上限は {expected} バイトです。"),
    ),
    "unsupported_media_type": (
        415,
        ("The body must be application/json", "本文は application/json で送ってください"),
        ("Set Content-Type: application/json.", "Content-Type: application/json を指定してください。"),
    ),
    "invalid_query": (
        422,
        ("The request does not fit", "リクエストの内容に誤りがあります"),
        (
            "See errors for each place. Nothing was read and nothing was charged.",
            "該当箇所は errors を参照してください。データは読まれず、課金もされていません。",
        ),
    ),
    "accuracy_not_reachable": (
        422,
        ("This accuracy is not reachable in one query", "この精度は 1 回の質問では得られません"),
        (
            "Within {given} costs more than the limit of {expected} a query; see errors for what is reachable.",
            "誤差 {given} 以内の価格は 1 回の上限 {expected} を超えます。到達できる精度は errors にあります。",
        ),
    ),
    "precondition_required": (
        428,
        ("An Idempotency-Key is needed", "Idempotency-Key が必要です"),
        (
            "Send a header Idempotency-Key of 1 to 255 visible characters, new for each question.",
            "質問ごとに新しい Idempotency-Key ヘッダ（1〜255 文字）を送ってください。",
        ),
    ),
    "rate_limited": (
        429,
        ("Too many requests", "リクエストが多すぎます"),
        ("Wait {expected} seconds.", "{expected} 秒お待ちください。"),
    ),
    "internal": (
        500,
        ("The server failed", "サーバーで障害が起きました"),
        ("The fault is ours; it has been logged.", "障害は記録されました。"),
    ),
    "unavailable": (
        503,
        ("The server cannot answer now", "現在ご利用いただけません"),
        ("Try again later.", "しばらくしてから再度お試しください。"),
    ),
}

REASONS: dict[str, tuple[str, str]] = {
    # the shape of the request
    "too_deep": ("JSON may nest {expected} levels", "JSON の入れ子は {expected} 段までです"),
    "not_utf8": ("byte {given} is not UTF-8", "{given} バイト目が UTF-8 ではありません"),
    "not_json": ("not JSON from line:column {given}", "行:列 {given} から JSON ではありません"),
    "not_a_json_number": ("{given} is not a JSON number", "{given} は JSON の数値ではありません"),
    "duplicate_key": ("the name {given} stands twice", "名前 {given} が重複しています"),
    "lone_surrogate": ("text holds half a character (a lone surrogate)", "文字列に不完全な文字があります"),
    "not_an_object": ("{given} is not an object", "{given} はオブジェクトではありません"),
    "not_a_list": ("{given} is not a list", "{given} はリストではありません"),
    "not_text": ("{given} is not text", "{given} は文字列ではありません"),
    "not_a_boolean": ("{given} is neither true nor false", "{given} は true でも false でもありません"),
    "not_scalar": (
        "{given} is not text, nor a number in plain notation",
        "{given} は文字列でも通常表記の数値でもありません",
    ),
    "not_an_amount": (
        '{given} is not a positive decimal in plain notation with at most 9 decimals, such as "0.5"',
        '{given} は "0.5" のような正の十進数（小数 9 桁まで、指数表記なし）ではありません',
    ),
    "required": ("this is required", "必須です"),
    "null": ("null is not allowed", "null は使えません"),
    "unknown_field": ("there is no such field: {given}", "そのような項目はありません: {given}"),
    "not_one_of": ("{given} is none of {expected}", "{given} は {expected} のいずれでもありません"),
    "wrong_length": ("{expected} items are allowed", "要素数は {expected} です"),
    "bad_name": (
        "{given} is not a name: a letter, then letters, digits or _, at most 63",
        "{given} は名前として使えません（文字で始まる 63 文字以内の文字・数字・_）",
    ),
    "choose_one": ("give exactly one of {expected}", "{expected} のどれか一つだけを指定してください"),
    "too_many_terms": ("a filter may hold {expected} terms and values", "条件は {expected} 個までです"),
    "blank": ("this may not be blank", "空にはできません"),
    "not_an_integer": (
        "{given} is not a whole number of {expected}",
        "{given} は {expected} の整数ではありません",
    ),
    # the question against the schema
    "unknown_column": (
        "there is no queryable column {given}; columns: {expected}",
        "質問できる列に {given} はありません。列: {expected}",
    ),
    "unknown_aggregate": ("{given} is none of {expected}", "{given} は {expected} のいずれでもありません"),
    "unknown_statistic": (
        "{given} is not selected; selected: {expected}",
        "{given} は select にありません。select: {expected}",
    ),
    "outside_domain": (
        "{given} is outside the declared domain {expected}",
        "{given} は宣言された範囲 {expected} の外です",
    ),
    "undeclared_value": (
        "{given} is not a declared value; declared: {expected}",
        "{given} は宣言された値ではありません。宣言された値: {expected}",
    ),
    "not_a_number": ("{given} is not a number", "{given} は数値ではありません"),
    "not_a_date": (
        "{given} is not a date such as 2026-04-01",
        "{given} は 2026-04-01 のような日付ではありません",
    ),
    "off_step": (
        "{given} is not a multiple of the step {expected}",
        "{given} は刻み {expected} の倍数ではありません",
    ),
    "no_order": (
        "{given} needs an ordered column; this is a category",
        "{given} は順序のある列にだけ使えます（この列は区分です）",
    ),
    "not_ascending": ("{given} must ascend", "{given} は小さい順でなければなりません"),
    "too_many_keys": (
        "{given} keys; at most {expected} are allowed",
        "キーは {expected} 個までです（{given} 個）",
    ),
    "repeated_key": ("{given} is grouped by twice", "{given} が group_by に重複しています"),
    "too_many_values": (
        "{given} has too many values to group by one by one (limit {expected}); use bins",
        "{given} の値は一つずつ集計するには多すぎます（上限 {expected}）。bins を使ってください",
    ),
    "too_many_cells": (
        "{given} cells times statistics; at most {expected} are answered",
        "セル数×統計数が {given} です。上限は {expected} です",
    ),
    "too_many_statistics": (
        "{given} statistics; 1 to {expected} are allowed",
        "統計は 1〜{expected} 個です（{given} 個）",
    ),
    "repeated_name": (
        'the answer\'s columns of {given} repeat a name; rename it with "as"',
        '回答の列名が {given} と重複します。"as" で変更してください',
    ),
    "takes_no_member": ("{given} does not apply here", "{given} はここでは使えません"),
    "column_needed": ("{given} needs a column", "{given} には column が必要です"),
    "not_numeric": ("{given} is not a numeric column", "{given} は数値の列ではありません"),
    "not_positive": ("{given} must be above zero", "{given} は 0 より大きくなければなりません"),
    "error_depends_on_rows": (
        "the error of {given} depends on how many rows a cell holds; say for at least how many",
        "{given} の誤差はセルの行数によります。何行以上のセルについてかを指定してください",
    ),
    "not_a_whole_number": ("{given} is not a whole number", "{given} は整数ではありません"),
    "not_a_date_column": ("{given} is not a date column", "{given} は日付の列ではありません"),
    "needs_narrower_bound": (
        "{given} needs a rows_per_person below the dataset's bound",
        "{given} にはデータセットの上限より小さい rows_per_person が必要です",
    ),
    "apart": (
        "these bounds and the clamp {expected} have no room between them",
        "この範囲と clamp {expected} は重なりません",
    ),
    "open_column": (
        "{given} has no declared values; it can only be grouped by",
        "{given} の値は宣言されていないため、group_by でのみ使えます",
    ),
    "open_key_alone": (
        "{given} has no declared values: group by it alone, with one count, without bins or totals",
        "{given} の値は宣言されていないため、単独で（bins や totals なしで、件数一つとともに）指定してください",
    ),
    "gaussian_only": (
        "{given} is not available by undeclared values; {expected} is",
        "宣言されていない値ごとには {given} は使えません。{expected} を使います",
    ),
    "only_counts_open": (
        "{given} is not available by undeclared values; count and count_persons are",
        "宣言されていない値ごとには {given} は使えません。count と count_persons が使えます",
    ),
    "needs_totals": ("this goes with {expected}", "これは {expected} と併せて指定します"),
    "needs_keys": ("totals need a {expected}", "totals には {expected} が必要です"),
    "needs_zcdp": (
        "{given} needs a dataset whose measure is zcdp; here it is {expected}",
        "{given} は measure が zcdp のデータセットでのみ使えます。ここでは {expected} です",
    ),
    "not_additive": (
        "{given} does not add up over cells, so it has neither totals nor shared tables",
        "{given} はセルを足し合わせられないため、合計や複数の表には使えません",
    ),
    "cut_differently": (
        "{given} is cut differently in an earlier table; all tables must cut a column alike",
        "{given} の区切り方が前の表と異なります。一つの列の区切り方は全表で同じにしてください",
    ),
    "share_too_small": (
        "its share {given} of the price is below {expected}",
        "価格の取り分 {given} が下限 {expected} を下回ります",
    ),
    "reachable": (
        "within {given} is not reachable; within {expected} is",
        "誤差 {given} 以内は得られません。{expected} 以内なら得られます",
    ),
    # budgets
    "unknown_dataset": ("there is no dataset {given}", "データセット {given} はありません"),
    "is_a_view": (
        "{given} is a view and has no budget of its own: grant on its sources {expected}",
        "{given} はビューで、自分の予算を持ちません。元のデータセット {expected} に付与してください",
    ),
    "wrong_measure": (
        "{given} is not what this dataset is accounted in; give {expected}",
        "このデータセットの単位は {given} ではありません。{expected} で指定してください",
    ),
    "unknown_holder": (
        "there is no such user or organisation: {given}",
        "利用者または組織 {given} はありません",
    ),
    "above_lifetime_limit": (
        "{given} would take the account above the largest lifetime total",
        "{given} を加えると生涯合計の上限を超えます",
    ),
    "bad_place": ("{given} is not the next of an earlier page", "{given} は前のページの next ではありません"),
    "same_person": (
        "whoever asked for a grant cannot decide on it",
        "申請者自身は決定できません",
    ),
}
