"""What whoever has run out of budget is told: what the rest still buys, and whom to ask. Knows no data."""

from privacy.about import spoken
from privacy.budget import Price
from privacy.pricing import error_of_count
from privacy.schema import Schema
from privacy.words import LANGUAGES, Words

BUYS = Words(
    ja="残りの予算では、件数 1 つを ±{error} の誤差で得られます（95 %）。",
    en="What is left buys one count within ±{error} (95 %). ",
)
BUYS_NOTHING = Words(
    ja="残りの予算では、件数 1 つも得られません。", en="What is left does not buy a single count. "
)
ASK_ADMINISTRATOR = Words(
    ja="予算は自動では戻りません。追加は組織の管理者に依頼してください",
    en="Budgets do not refill by themselves: ask the administrator of your organisation for more",
)
ASK_CONTACT = Words(
    ja="予算は自動では戻りません。追加はデータセットの連絡先（{contact}）に依頼してください",
    en="Budgets do not refill by themselves: ask the dataset's contact ({contact}) for more",
)


def advice(schema: Schema, remaining: Price) -> Words:
    """What `remaining` still buys of a dataset, and whom to ask for more: its contact, where it declares one."""
    error = error_of_count(schema, min(remaining, schema.price_per_query_max))
    buys = BUYS_NOTHING if error is None else BUYS.filled(error=f"{error:,}")
    ask, contact = ASK_ADMINISTRATOR, schema.about.contact
    if contact:
        # Filled for each language by itself: the contact has a text for each, too.
        ja, en = (spoken(contact, language, "") for language in LANGUAGES)
        ask = Words(ja=ASK_CONTACT.ja.format(contact=ja), en=ASK_CONTACT.en.format(contact=en))
    return Words(ja=buys.ja + ask.ja, en=buys.en + ask.en)
