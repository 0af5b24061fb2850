"""What people read in a refusal, in Japanese and English. Codes and pointers are never translated.

`{given}` quotes the caller, `{expected}` quotes the public schema or a limit; nothing here can quote data.
"""

from dataclasses import dataclass

from privacy.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemWords:
    """A problem of the closed list: its HTTP status, its title, and a sentence about this case."""

    status: int
    title: Words
    detail: Words
    general: Words | None = None
    """What is said where no case is at hand, on the page of the problem; None where `detail` has no places."""

    @property
    def meaning(self) -> Words:
        """What the problem means, whatever the case."""
        return self.general or self.detail


PROBLEMS: dict[str, ProblemWords] = {
    "malformed_json": ProblemWords(
        status=400,
        title=Words(ja="本文を JSON として読めません", en="The body is not readable JSON"),
        detail=Words(
            ja="データは読まれず、予算も消費していません。", en="Nothing was read and nothing was charged."
        ),
    ),
    "bad_request": ProblemWords(
        status=400,
        title=Words(ja="リクエストを解釈できません", en="The request cannot be understood"),
        detail=Words(ja="該当箇所は errors を参照してください。", en="See errors for the place."),
    ),
    "unauthenticated": ProblemWords(
        status=401,
        title=Words(ja="有効な API キーが必要です", en="A valid API key is needed"),
        detail=Words(
            ja="Authorization: Bearer sdr_… として送ってください。",
            en="Send it as Authorization: Bearer sdr_….",
        ),
    ),
    "forbidden": ProblemWords(
        status=403,
        title=Words(ja="この操作は許可されていません", en="Your role does not allow this"),
        detail=Words(ja="この操作には {expected} の役割が必要です。", en="This needs the role {expected}."),
        general=Words(
            ja="この操作には、あなたの役割とは別の役割が必要です。", en="This needs another role than yours."
        ),
    ),
    "stopped": ProblemWords(
        status=403,
        title=Words(ja="停止されています", en="This is stopped"),
        detail=Words(
            ja="運用担当者が再開するまで利用できません。予算は消費していません。",
            en="It answers nothing until an operator resumes it. Nothing was charged.",
        ),
    ),
    "budget_exhausted": ProblemWords(
        status=403,
        title=Words(ja="プライバシー予算が足りません", en="The privacy budget does not cover this"),
        detail=Words(
            ja="{given} の残りは {expected} です。予算は自動では戻りません。追加は組織の管理者に依頼してください。",
            en="{given} has {expected} left. Budgets do not refill by themselves: ask an administrator for more.",
        ),
        general=Words(
            ja="質問に必要な予算の消費が、支払う口座（利用者、組織、データセット、母集団）のいずれかの残りを"
            "超えています。予算は消費していません。予算は自動では戻りません。",
            en="The question costs more than one of the accounts that pay for it (of the user, the organisation, the "
            "dataset or the population) has left. Nothing was charged. Budgets do not refill by themselves.",
        ),
    ),
    "above_query_limit": ProblemWords(
        status=403,
        title=Words(ja="1 回の質問の上限を超えています", en="One query may not cost that much"),
        detail=Words(
            ja="予算の消費 {given} は 1 回の上限 {expected} を超えています。",
            en="The price {given} is above the limit of {expected} a query.",
        ),
        general=Words(
            ja="予算の消費が、データセットの定める 1 回の上限を超えています。予算は消費していません。",
            en="The price is above the limit of the dataset for one query. Nothing was charged.",
        ),
    ),
    "not_found": ProblemWords(
        status=404,
        title=Words(ja="見つかりません", en="There is nothing here for you"),
        detail=Words(
            ja="存在しないか、あなたには公開されていません。",
            en="It does not exist, or it is not open to you.",
        ),
    ),
    "method_not_allowed": ProblemWords(
        status=405,
        title=Words(ja="このメソッドは使えません", en="This method is not allowed here"),
        detail=Words(ja="Allow ヘッダを参照してください。", en="See the Allow header."),
    ),
    "not_acceptable": ProblemWords(
        status=406,
        title=Words(ja="受け取れる形式がありません", en="None of the formats you accept is available"),
        detail=Words(ja="利用できる形式: {expected}", en="Available: {expected}."),
        general=Words(
            ja="Accept ヘッダにある形式は、このアドレスでは利用できません。",
            en="This address has none of the formats in the Accept header.",
        ),
    ),
    "request_timeout": ProblemWords(
        status=408,
        title=Words(ja="リクエストの受信が時間内に終わりませんでした", en="The request did not come in time"),
        detail=Words(
            ja="ヘッダと本文は、接続してから数十秒以内に送り終えてください。予算は消費していません。",
            en="Send head and body within some seconds of connecting. Nothing was charged.",
        ),
    ),
    "idempotency_conflict": ProblemWords(
        status=409,
        title=Words(
            ja="この Idempotency-Key は別の質問に使われています",
            en="This Idempotency-Key belongs to another question",
        ),
        detail=Words(
            ja="新しい質問には新しい Idempotency-Key を使ってください。",
            en="Use a new key for a new question.",
        ),
    ),
    "conflict": ProblemWords(
        status=409,
        title=Words(ja="現在の状態では実行できません", en="This cannot be done in the present state"),
        detail=Words(ja="現在の状態は「{expected}」です。", en="The present state is {expected}."),
        general=Words(
            ja="対象の状態が、この操作のできる状態ではありません。",
            en="What it is about is in another state than this needs.",
        ),
    ),
    "in_progress": ProblemWords(
        status=409,
        title=Words(ja="同じ質問に回答中です", en="The same question is being answered"),
        detail=Words(
            ja="同じ Idempotency-Key で少し後に再度お試しください。",
            en="Try again shortly with the same key.",
        ),
    ),
    "gone": ProblemWords(
        status=410,
        title=Words(ja="このデータセットは廃止されました", en="This dataset has been retired"),
        detail=Words(ja="過去の回答は引き続き読めます。", en="Earlier answers can still be read."),
    ),
    "body_too_large": ProblemWords(
        status=413,
        title=Words(ja="本文が大きすぎます", en="The body is too large"),
        detail=Words(ja="上限は {expected} バイトです。", en="At most {expected} bytes are read."),
        general=Words(ja="本文が上限を超えています。", en="The body is larger than what is read."),
    ),
    "unsupported_media_type": ProblemWords(
        status=415,
        title=Words(ja="本文は application/json で送ってください", en="The body must be application/json"),
        detail=Words(
            ja="Content-Type: application/json を指定してください。", en="Set Content-Type: application/json."
        ),
    ),
    "invalid_query": ProblemWords(
        status=422,
        title=Words(ja="リクエストの内容に誤りがあります", en="The request does not fit"),
        detail=Words(
            ja="該当箇所は errors を参照してください。データは読まれず、予算も消費していません。",
            en="See errors for each place. Nothing was read and nothing was charged.",
        ),
    ),
    "accuracy_not_reachable": ProblemWords(
        status=422,
        title=Words(
            ja="この精度は 1 回の質問では得られません", en="This accuracy is not reachable in one query"
        ),
        detail=Words(
            ja="誤差 {given} 以内の答えに必要な予算の消費は 1 回の上限 {expected} を超えます。"
            "到達できる精度は errors にあります。",
            en="Within {given} costs more than the limit of {expected} a query; see errors for what is reachable.",
        ),
        general=Words(
            ja="指定された誤差に必要な予算の消費が、1 回の上限を超えます。到達できる精度は errors にあります。",
            en="The accuracy costs more than the limit of one query; see errors for what is reachable.",
        ),
    ),
    "planning_too_dear": ProblemWords(
        status=422,
        title=Words(
            ja="質問の準備に計算量がかかりすぎます", en="Preparing this question takes too much work"
        ),
        # Replaced by the refusal's own words, which say what takes the work and what to change.
        detail=Words(
            ja="データは読まれず、予算も消費していません。", en="Nothing was read and nothing was charged."
        ),
    ),
    "precondition_required": ProblemWords(
        status=428,
        title=Words(ja="Idempotency-Key が必要です", en="An Idempotency-Key is needed"),
        detail=Words(
            ja="質問ごとに新しい Idempotency-Key ヘッダ（1〜255 文字）を送ってください。",
            en="Send a header Idempotency-Key of 1 to 255 visible characters, new for each question.",
        ),
    ),
    "rate_limited": ProblemWords(
        status=429,
        title=Words(ja="リクエストが多すぎます", en="Too many requests"),
        detail=Words(ja="{expected} 秒お待ちください。", en="Wait {expected} seconds."),
        general=Words(
            ja="短い時間に多くのリクエストがありました。", en="Too many requests came within a short time."
        ),
    ),
    "internal": ProblemWords(
        status=500,
        title=Words(ja="サーバーで障害が起きました", en="The server failed"),
        detail=Words(ja="障害は記録されました。", en="The fault is ours; it has been logged."),
    ),
    "unavailable": ProblemWords(
        status=503,
        title=Words(ja="現在ご利用いただけません", en="The server cannot answer now"),
        detail=Words(ja="しばらくしてから再度お試しください。", en="Try again later."),
    ),
    "planning_busy": ProblemWords(
        status=503,
        title=Words(ja="質問の準備が混み合っています", en="Too many questions are being prepared"),
        detail=Words(
            ja="データは読まれず、予算も消費していません。少し後に同じ Idempotency-Key で再度お試しください。",
            en="Nothing was read and nothing was charged. Try again shortly, with the same Idempotency-Key.",
        ),
    ),
    "engine_unavailable": ProblemWords(
        status=503,
        title=Words(ja="データを開けません", en="The data cannot be opened"),
        detail=Words(
            ja="データは読まれず、予算も消費していません。しばらくしてから同じ Idempotency-Key で再度お試しください。",
            en="Nothing was read and nothing was charged. Try again later, with the same Idempotency-Key.",
        ),
    ),
}

MEANT = Words(ja="（{nearest} のことですか）", en=" (did you mean {nearest}?)")
"""Put behind a reason where what was probably meant is known."""

SELECT_TEXT = Words(
    ja="{given} ではなく {expected} のように統計を指定してください。個人の行や列の値は示しません",
    en="not {given} but a statistic such as {expected}; rows of persons and their values are never told",
)
SQL_TEXT = Words(
    ja="SQL では質問できません。{expected} のように指定してください",
    en="questions are not SQL but written {expected}",
)
REASONS: dict[str, Words] = {
    # the shape of the request
    "too_deep": Words(ja="JSON の入れ子は {expected} 段までです", en="JSON may nest {expected} levels"),
    "not_utf8": Words(ja="{given} バイト目が UTF-8 ではありません", en="byte {given} is not UTF-8"),
    "not_json": Words(ja="行:列 {given} から JSON ではありません", en="not JSON from line:column {given}"),
    "not_a_json_number": Words(ja="{given} は JSON の数値ではありません", en="{given} is not a JSON number"),
    "duplicate_key": Words(ja="名前 {given} が重複しています", en="the name {given} stands twice"),
    "too_many_members": Words(
        ja="オブジェクトの項目は合わせて {expected} 個までです",
        en="all objects together may have {expected} members",
    ),
    "name_too_long": Words(
        ja="項目名 {given} が長すぎます。{expected} 文字までです",
        en="the name {given} is too long; {expected} characters are the most",
    ),
    "lone_surrogate": Words(
        ja="文字列に不完全な文字があります", en="text holds half a character (a lone surrogate)"
    ),
    "not_an_object": Words(ja="{given} はオブジェクトではありません", en="{given} is not an object"),
    "not_a_list": Words(
        ja="{given} はリストではありません。{expected} のように [ ] で囲んでください",
        en="{given} is not a list; put it into brackets: {expected}",
    ),
    "not_an_object:text": Words(
        ja="{given} は文字列です。{expected} と指定してください",
        en="{given} is text; write {expected}",
    ),
    "not_an_object:list_of_conditions": Words(
        ja="{given} はリストです。すべてを満たす行を選ぶ条件は {expected} と指定してください",
        en="{given} is a list; for rows that meet all of it write {expected}",
    ),
    "not_an_object:condition": Words(
        ja="{given} は条件ではありません。{expected} のように指定してください",
        en="{given} is not a condition; write it like {expected}",
    ),
    "not_scalar:null": Words(
        ja="null とは比べられません。値の有無は is_missing で調べます: {expected}",
        en="nothing compares with null; is_missing asks whether there is a value: {expected}",
    ),
    "not_text": Words(ja="{given} は文字列ではありません", en="{given} is not text"),
    "not_a_boolean": Words(
        ja="{given} は true でも false でもありません", en="{given} is neither true nor false"
    ),
    "not_scalar": Words(
        ja="{given} は文字列でも通常表記の数値でもありません",
        en="{given} is not text, nor a number in plain notation",
    ),
    "not_an_amount": Words(
        ja='{given} は "0.5" のような正の十進数（小数 9 桁まで、指数表記なし）ではありません',
        en='{given} is not a positive decimal in plain notation with at most 9 decimals, such as "0.5"',
    ),
    "required": Words(ja="必須です", en="this is required"),
    "null": Words(ja="null は使えません", en="null is not allowed"),
    "unknown_field": Words(
        ja="{given} という項目はありません。使える項目: {expected}",
        en="there is no such field: {given}; known here: {expected}",
    ),
    "unknown_field:no_parameters": Words(
        ja="{given} というパラメーターはありません。このアドレスで使えるパラメーターはありません",
        en="there is no such parameter: {given}; this address takes none",
    ),
    "not_one_of": Words(
        ja="{given} は {expected} のいずれでもありません", en="{given} is none of {expected}"
    ),
    "wrong_length": Words(ja="要素の数は {expected} でなければなりません", en="{expected} items are allowed"),
    "bad_name": Words(
        ja="{given} は名前として使えません（文字で始まる 63 文字以内の文字・数字・_）",
        en="{given} is not a name: a letter, then letters, digits or _, at most 63",
    ),
    "choose_one": Words(
        ja="{expected} のどれか一つだけを指定してください", en="give exactly one of {expected}"
    ),
    "too_many_terms": Words(
        ja="条件は {expected} 個までです", en="a filter may hold {expected} terms and values"
    ),
    "blank": Words(ja="空にはできません", en="this may not be blank"),
    "not_one_line": Words(
        ja="改行その他の制御文字、目に見えない文字を含まない 1 行で指定してください",
        en="this must be one line, without control or invisible characters",
    ),
    "not_an_integer": Words(
        ja="{given} は {expected} の整数ではありません", en="{given} is not a whole number of {expected}"
    ),
    # the question against the schema
    "unknown_column": Words(
        ja="質問できる列に {given} はありません。列: {expected}",
        en="there is no queryable column {given}; columns: {expected}",
    ),
    "unknown_column:unit": Words(
        ja="{given} は単位を示す列のため、質問では指定できません。その数は {expected} で得られます",
        en="{given} names units, so no question can name it; how many there are is told by {expected}",
    ),
    "unknown_aggregate": Words(
        ja="{given} は {expected} のいずれでもありません", en="{given} is none of {expected}"
    ),
    "no_units": Words(
        ja=(
            "このデータセットのこのバージョンには、{given} で数えられる単位（世帯など）の宣言がありません。"
            "count_persons か count を使います"
        ),
        en=(
            "this version of the dataset declares no units (such as households) that {given} could count; "
            "use count_persons or count"
        ),
    ),
    "unknown_unit": Words(
        ja="{given} という単位はありません。使える単位：{expected}",
        en="{given} is no unit of this dataset; known units: {expected}",
    ),
    "unknown_statistic": Words(
        ja="{given} は select にありません。select: {expected}",
        en="{given} is not selected; selected: {expected}",
    ),
    "outside_domain": Words(
        ja="{given} は宣言された範囲 {expected} の外です",
        en="{given} is outside the declared domain {expected}",
    ),
    "undeclared_value": Words(
        ja="{given} は宣言された値ではありません。宣言された値: {expected}",
        en="{given} is not a declared value; declared: {expected}",
    ),
    "not_a_number": Words(ja="{given} は数値ではありません", en="{given} is not a number"),
    "not_a_number:percentage": Words(
        ja="{given} は割合です。within は答えと同じ単位の数（例: 20）で指定してください。"
        "割合は relative（例: 0.05）に within と併せて指定できますが、予算の消費は減りません",
        en="{given} is a share; within is a number in the answer's unit, such as 20. A share goes into relative "
        "(0.05), beside within, and lowers no price",
    ),
    "required:relative_alone": Words(
        ja="relative は within と併せて指定してください（小さなセルに許す誤差。例: 20）。"
        "relative だけでは予算の消費を決められず、消費も減りません",
        en="relative needs within beside it, the error that small cells may have, such as 20; a share alone settles no "
        "price, and lowers none",
    ),
    "not_a_date": Words(
        ja="{given} は 2026-04-01 のような日付ではありません", en="{given} is not a date such as 2026-04-01"
    ),
    "off_step": Words(
        ja="{given} は刻み {expected} の倍数ではありません",
        en="{given} is not a multiple of the step {expected}",
    ),
    "no_order": Words(
        ja="{given} は順序のある列にだけ使えます（この列は区分です）",
        en="{given} needs an ordered column; this is a category",
    ),
    "not_ascending": Words(ja="{given} は小さい順でなければなりません", en="{given} must ascend"),
    "too_many_keys": Words(
        ja="キーは {expected} 個までです（{given} 個）", en="{given} keys; at most {expected} are allowed"
    ),
    "repeated_key": Words(ja="{given} が group_by に重複しています", en="{given} is grouped by twice"),
    "no_groupings": Words(
        ja='{given} には宣言された groups がありません。groups: {{"名前": [値, …]}} として指定してください',
        en='{given} has no declared groups; give them as groups: {{"label": [values]}}',
    ),
    "choose_grouping": Words(
        ja="{given} には複数の groups が宣言されています。名前で指定してください: {expected}",
        en="{given} has several declared groups; name one of {expected}",
    ),
    "unknown_grouping": Words(
        ja="{given} という groups は宣言されていません。宣言された groups: {expected}",
        en="there are no declared groups {given}; declared: {expected}",
    ),
    "overlapping_groups": Words(
        ja="{given} が {expected} の両方に含まれています。一つの値は一つのグループにだけ入れてください",
        en="{given} is in both of {expected}; a value may be in one group only",
    ),
    "empty_group": Words(ja="グループ {given} に値がありません", en="the group {given} holds no value"),
    "too_many_groups": Words(
        ja="グループは 1〜{expected} 個です（{given} 個）", en="{given} groups; 1 to {expected} are allowed"
    ),
    "too_many_group_values": Words(
        ja="グループの値と範囲は全部で {expected} 個までです（{given} 個）",
        en="{given} values and ranges in all groups; at most {expected} are allowed",
    ),
    "bad_label": Words(
        ja="{given} はグループの名前に使えません（前後に空白のない、目に見える {expected} 文字以内の 1 行）",
        en="{given} cannot be the name of a group: one visible line of at most {expected} characters, "
        "without spaces around it",
    ),
    "not_groups": Words(
        ja='{given} は groups として読めません。{{"名前": [値, …]}}、宣言された名前、または true を指定してください',
        en='{given} is not groups: {{"label": [values]}}, the name of declared groups, or true',
    ),
    "not_a_group": Words(
        ja='{given} はグループとして読めません。値のリスト、または {{"from": 0, "to": 4}} を指定してください',
        en='{given} is not a group: a list of values, or {{"from": 0, "to": 4}}',
    ),
    "too_many_values": Words(
        ja="{given} の値は一つずつ集計するには多すぎます（上限 {expected}）。bins を使ってください",
        en="{given} has too many values to group by one by one (limit {expected}); use bins",
    ),
    "too_many_cells": Words(
        ja="セル数×統計数が {given} です。上限は {expected} です"
        "（分位数はそれぞれ 1 つ、value_bounds では 3 つと数えます）",
        en="{given} cells times statistics; at most {expected} are answered "
        "(each quantile is one, with value_bounds three)",
    ),
    "too_many_statistics": Words(
        ja="統計は 1〜{expected} 個です（{given} 個）", en="{given} statistics; 1 to {expected} are allowed"
    ),
    "repeated_name": Words(
        ja='回答の列名が {given} と重複します。"as" で変更してください',
        en='the answer\'s columns of {given} repeat a name; rename it with "as"',
    ),
    "takes_no_member": Words(ja="{given} はここでは使えません", en="{given} does not apply here"),
    "column_needed": Words(ja="{given} には column が必要です", en="{given} needs a column"),
    "not_numeric": Words(ja="{given} は数値の列ではありません", en="{given} is not a numeric column"),
    "not_positive": Words(ja="{given} は 0 より大きくなければなりません", en="{given} must be above zero"),
    "error_depends_on_rows": Words(
        ja="{given} の誤差はセルの行数によります。何行以上のセルについてかを指定してください",
        en="the error of {given} depends on how many rows a cell holds; say for at least how many",
    ),
    "not_a_whole_number": Words(ja="{given} は整数ではありません", en="{given} is not a whole number"),
    "not_a_date_column": Words(ja="{given} は日付の列ではありません", en="{given} is not a date column"),
    "needs_narrower_bound": Words(
        ja="{given} にはデータセットの上限より小さい rows_per_person が必要です",
        en="{given} needs a rows_per_person below the dataset's bound",
    ),
    "apart": Words(
        ja="この範囲と clamp {expected} は重なりません",
        en="these bounds and the clamp {expected} have no room between them",
    ),
    "open_column": Words(
        ja="{given} の値は宣言されていないため、group_by でのみ使えます",
        en="{given} has no declared values; it can only be grouped by",
    ),
    "open_key_alone": Words(
        ja="{given} の値は宣言されていないため、単独で（bins や totals なしで、件数一つとともに）指定してください",
        en="{given} has no declared values: group by it alone, with one count, without bins or totals",
    ),
    "gaussian_only": Words(
        ja="宣言されていない値ごとには {given} は使えません。{expected} を使います",
        en="{given} is not available by undeclared values; {expected} is",
    ),
    "where_of_question": Words(
        ja="宣言されていない値ごとに数える質問では、条件は質問全体の {expected} に書いてください",
        en="by undeclared values there is one statistic alone: put its condition into the question's {expected}",
    ),
    "clamps_alone": Words(
        ja="グループごとの clamp は {expected} と併用できません",
        en="a clamp by group goes with neither of {expected}",
    ),
    "too_many_clamps": Words(
        ja="異なる clamp は {expected} 組までです（{given} 組）",
        en="{given} different clamps; at most {expected} are allowed",
    ),
    "clamp_of_no_cell": Words(
        ja="{given} は group_by のどのキーのセルでもありません。セル: {expected}",
        en="{given} is no cell of a key in group_by; cells: {expected}",
    ),
    "only_counts_open": Words(
        ja="宣言されていない値ごとには {given} は使えません。count と count_persons が使えます",
        en="{given} is not available by undeclared values; count and count_persons are",
    ),
    "needs_totals": Words(ja="これは {expected} と併せて指定します", en="this goes with {expected}"),
    "needs_keys": Words(ja="totals には {expected} が必要です", en="totals need a {expected}"),
    "needs_zcdp": Words(
        ja="{given} は measure が zcdp のデータセットでのみ使えます。ここでは {expected} です",
        en="{given} needs a dataset whose measure is zcdp; here it is {expected}",
    ),
    "not_additive": Words(
        ja="{given} はセルを足し合わせられないため、合計や複数の表には使えません",
        en="{given} does not add up over cells, so it has neither totals nor shared tables",
    ),
    "cut_differently": Words(
        ja="{given} の区切り方が前の表と異なります。一つの列の区切り方は全表で同じにしてください",
        en="{given} is cut differently in an earlier table; all tables must cut a column alike",
    ),
    "share_too_small": Words(
        ja="この統計に割り当てられる予算の消費 {given} が下限 {expected} を下回ります。"
        "全体の消費か、この統計の重みを増やしてください",
        en="its share {given} of the price is below {expected}: raise the price, or the weight of this statistic",
    ),
    "reachable": Words(
        ja="誤差 {given} 以内は得られません。{expected} 以内なら得られます",
        en="within {given} is not reachable; within {expected} is",
    ),
    # forms of other languages
    "not_one_of:called_otherwise": Words(
        ja="{given} はここでは {expected} と書きます", en="{given} is written {expected} here"
    ),
    "not_one_of:tells_one_person": Words(
        ja="{given} は一人の値をそのまま示すことになるため使えません。最も近いのは {expected} です",
        en="{given} would tell the value of one person and is refused; the nearest is {expected}",
    ),
    "not_one_of:tells_which_values": Words(
        ja="{given} は誰か一人だけが持つ値があるかどうかを示すことになるため使えません。"
        "人数や値ごとの件数は {expected} で得られます",
        en="{given} would tell that somebody has a value that nobody else has, and is refused; "
        "persons, or how many have each value, are {expected}",
    ),
    "not_one_of:tells_rows": Words(
        ja="{given} は個人の行を示すことになるため使えません。最も近いのは {expected} です",
        en="{given} would tell rows of persons and is refused; the nearest is {expected}",
    ),
    "not_a_list:select_text": SELECT_TEXT,
    "not_an_object:select_text": SELECT_TEXT,
    "not_a_list:sql_text": SQL_TEXT,
    "not_an_object:sql_text": SQL_TEXT,
    "unknown_field:sql_text": SQL_TEXT,
    "not_an_object:amount": Words(
        ja="{given} ではなく {expected} と指定してください（measure が zcdp のデータセットでは rho）",
        en="not {given} but {expected} (rho in place of epsilon where the dataset's measure is zcdp)",
    ),
    "not_an_object:where_text": Words(
        ja="条件は文字列 {given} ではなく {expected} のように指定してください",
        en="a condition is not text ({given}) but written {expected}",
    ),
    "compares_a_cell": Words(
        ja="条件は一人の一つの列を決まった値と比べるものです。ほかの列や行、別の質問とは比べられません。例: {expected}",
        en="a condition compares one column of a row with literals, not with other columns, rows or questions: "
        "{expected}",
    ),
    "expression": Words(
        ja="{given} は式です。列の名前を一つだけ書いてください。列: {expected}。"
        "区切りは bins、回答の値どうしの計算は derive で指定できます",
        en="{given} is an expression: name one column of {expected}. Values are put into classes by bins, and derive "
        "computes with values of the answer",
    ),
    # the released table
    "no_released_column": Words(
        ja="回答に {given} という列はありません。回答の列: {expected}。データの条件は where に書いてください",
        en="the answer has no column {given}; its columns: {expected}. Conditions on the data go into where",
    ),
    "no_released_number": Words(
        ja="{given} は回答の数値の列ではありません。計算に使える列: {expected}",
        en="{given} is no column of numbers of the answer, nor derived before this one; such are: {expected}",
    ),
    "no_share_of": Words(
        ja="{given} の合計に対する割合は求められません。求められる列（件数と合計）: {expected}",
        en="{given} has no share of a total; these counts and sums have: {expected}",
    ),
    "divides_by_zero": Words(ja="{given} では割れません", en="nothing can be divided by {given}"),
    "too_many_derived_cells": Words(
        ja="計算する列のセルが合わせて {given} 個です。上限は {expected} 個です",
        en="{given} derived cells; at most {expected} are computed",
    ),
    "not_operands": Words(
        ja="{given} ではなく {expected} の形で、一度に一つの計算を指定してください",
        en="not {given} but {expected}: one operation at a time",
    ),
    "nested_operand": Words(
        ja="入れ子の計算はできません。先に derive の別の項目として名前を付け、その名前を使ってください",
        en="operations do not nest: derive the inner one before, under a name of its own, and use that name",
    ),
    "having_form": Words(
        ja="having の条件は {expected} の形で指定してください（all、any、not で組み合わせられます）",
        en="a condition of having is written {expected}; all, any and not combine them",
    ),
    "too_many_comparisons": Words(
        ja="having の比較は {expected} 個までです", en="having may hold {expected} comparisons"
    ),
    "key_without_order": Words(
        ja="項目の列に {given} は使えません。使えるもの: {expected}。データの条件は where に書いてください",
        en="{given} does not apply to a key of the answer; these do: {expected}. Conditions on the data go into where",
    ),
    "order_by_form": Words(
        ja="{given} ではなく {expected} の形で指定してください", en="not {given} but {expected}"
    ),
    # budgets
    "unknown_dataset": Words(ja="データセット {given} はありません", en="there is no dataset {given}"),
    "unknown_population": Words(
        ja="母集団 {given} に属するデータセットはありません",
        en="no dataset belongs to a population {given}",
    ),
    "population_stands_alone": Words(
        ja="母集団の上限はそのすべてのデータセットに共通です。dataset は指定しないでください",
        en="the cap of a population is one for all of its datasets: leave dataset out",
    ),
    "total_below_spent": Words(
        ja="すでに {expected} を使用しています。最初の上限は生涯の合計であり、{given} では足りません",
        en="{expected} is spent already, and the first cap is the total of a lifetime: {given} is too little",
    ),
    "is_a_view": Words(
        ja="{given} はビューで、自分の予算を持ちません。元のデータセット {expected} に付与してください",
        en="{given} is a view and has no budget of its own: grant on its sources {expected}",
    ),
    "wrong_measure": Words(
        ja="ここでの予算の単位は {given} ではありません。{expected} で指定してください",
        en="{given} is not the measure that is accounted in here; give {expected}",
    ),
    "unknown_holder": Words(
        ja="利用者または組織 {given} はありません", en="there is no such user or organisation: {given}"
    ),
    "above_lifetime_limit": Words(
        ja="{given} を加えると生涯合計の上限を超えます",
        en="{given} would take the account above the largest lifetime total",
    ),
    "more_than_unspent": Words(
        ja="未使用分は {expected} です。{given} は取り消せません",
        en="{expected} is unspent: {given} is more than can be taken back",
    ),
    "not_limited": Words(
        ja="{given} には上限がないため、減額できません。最初の付与で上限が定まります",
        en="{given} has no limit that could be lowered: its first grant sets one",
    ),
    "nothing_granted": Words(
        ja="{given} は {expected} に予算を持っていません", en="{given} has no budget on {expected}"
    ),
    "bad_place": Words(
        ja="{given} は前のページの next ではありません", en="{given} is not the next of an earlier page"
    ),
    "same_person": Words(
        ja="申請者自身は取下げのほか決定できません",
        en="whoever asked for a grant may only decline it",
    ),
}
