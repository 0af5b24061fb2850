"""What to do next about each problem, for people: on the pages of problems, and where a browser is refused.

Programs read the code; nothing here quotes a caller or data.
"""

from privacy.words import Words

ADVICE: dict[str, Words] = {
    "malformed_json": Words(
        ja="示された位置の JSON を直し、もう一度送ってください。名前の重複や NaN は使えません。",
        en="Mend the JSON at the place that is told and send it again; names may not stand twice, and there is no NaN.",
    ),
    "bad_request": Words(
        ja="リクエストを作ったプログラムを確認し、もう一度送ってください。",
        en="Look at the program that made the request, and send it again.",
    ),
    "unauthenticated": Words(
        ja="API キーを確認してください。キーがない場合や失った場合は、組織の管理者に発行を依頼してください。",
        en="Check the API key. Whoever has none, or has lost it, asks the administrator of the organisation for one.",
    ),
    "forbidden": Words(
        ja="必要な役割を持つ人に操作を依頼するか、組織の管理者に役割の付与を依頼してください。",
        en="Have somebody with the role do it, or ask the administrator of the organisation for the role.",
    ),
    "stopped": Words(
        ja="再開の見込みは、組織の管理者に問い合わせてください。同じ質問は再開後にそのまま送れます。",
        en="Ask the administrator of the organisation when it will go on; the same question can be sent again then.",
    ),
    "budget_exhausted": Words(
        ja="予算の消費を残りの範囲に収めるか（mode を quote にすると消費せずに見積もれます）、"
        "以前の回答を読み直してください（予算を消費しません）。"
        "予算の追加は、データセットの連絡先か組織の管理者に依頼してください。",
        en="Ask for no more than is left (mode quote tells what a question would cost, and costs nothing), or read an "
        "earlier answer again, which costs nothing. For more budget ask the dataset's contact or the administrator of "
        "the organisation.",
    ),
    "above_query_limit": Words(
        ja="1 回の予算の消費を上限以下にするか、質問を分けてください。",
        en="Lower the price to the limit, or divide the question.",
    ),
    "not_found": Words(
        ja="アドレスとデータセットの名前を確認してください。利用できるデータセットは GET /v1/datasets で分かります。"
        "一覧にない場合は、組織の管理者に予算の付与を依頼してください。",
        en="Check the address and the dataset's name; GET /v1/datasets lists what is open to you. If it is not there, "
        "ask the administrator of the organisation for a budget on it.",
    ),
    "method_not_allowed": Words(
        ja="Allow ヘッダにあるメソッドを使ってください。", en="Use one of the methods in the Allow header."
    ),
    "not_acceptable": Words(
        ja="Accept ヘッダに、示された形式のいずれかを指定してください。",
        en="Name one of the formats that are told in the Accept header.",
    ),
    "request_timeout": Words(
        ja="接続の状態を確認し、もう一度送ってください。", en="Look at the connection, and send it again."
    ),
    "idempotency_conflict": Words(
        ja="新しい質問には新しい Idempotency-Key を付けてください。前の質問の回答は、元のキーと本文で読み直せます。",
        en="Give a new question a new Idempotency-Key. The earlier answer is read again by its own key and body.",
    ),
    "conflict": Words(
        ja="現在の状態を読み直し、できる操作を選んでください。",
        en="Read the present state again, and choose what can be done in it.",
    ),
    "in_progress": Words(
        ja="Retry-After の秒数だけ待ち、同じ Idempotency-Key で送り直してください。",
        en="Wait for the seconds of Retry-After, and send it again with the same Idempotency-Key.",
    ),
    "gone": Words(
        ja="後継のデータセットを GET /v1/datasets で確認してください。過去の回答は引き続き読めます。",
        en="Look for its successor in GET /v1/datasets; earlier answers can still be read.",
    ),
    "body_too_large": Words(ja="質問を分けて送ってください。", en="Divide the question."),
    "unsupported_media_type": Words(
        ja="Content-Type: application/json を付けて送り直してください。",
        en="Send it again with Content-Type: application/json.",
    ),
    "invalid_query": Words(
        ja="errors に、直す箇所と正しい形が一つずつ示されています。直してから、同じアドレスに送り直してください。"
        "使える列と値は GET /v1/datasets/{id} で分かります。",
        en="errors tell each place and the form that is meant. Mend them and send it again to the same address. "
        "GET /v1/datasets/{id} tells the columns and values.",
    ),
    "accuracy_not_reachable": Words(
        ja="within を errors に示された値以上にするか、質問のセルを減らしてください。",
        en="Set within to no less than errors tell, or ask for fewer cells.",
    ),
    "planning_too_dear": Words(
        ja="示された部分を減らしてから送り直してください。",
        en="Ask for less of what is told, and send it again.",
    ),
    "precondition_required": Words(
        ja="Idempotency-Key ヘッダに、質問ごとに新しい値を付けてください。",
        en="Send a header Idempotency-Key with a value that is new for each question.",
    ),
    "rate_limited": Words(
        ja="Retry-After の秒数だけ待ってから送り直してください。",
        en="Wait for the seconds of Retry-After, and send it again.",
    ),
    "internal": Words(
        ja="この番号（request_id）を添えて、運用担当者に知らせてください。",
        en="Tell the operator, with the number (request_id).",
    ),
    "unavailable": Words(
        ja="しばらく待って送り直してください。続く場合は運用担当者に知らせてください。",
        en="Wait a while and send it again; tell the operator if it goes on.",
    ),
    "planning_busy": Words(
        ja="Retry-After の秒数だけ待ち、同じ Idempotency-Key で送り直してください。",
        en="Wait for the seconds of Retry-After, and send it again with the same Idempotency-Key.",
    ),
    "engine_unavailable": Words(
        ja="しばらく待ち、同じ Idempotency-Key で送り直してください。続く場合は運用担当者に知らせてください。",
        en="Wait a while and send it again with the same Idempotency-Key; tell the operator if it goes on.",
    ),
}
