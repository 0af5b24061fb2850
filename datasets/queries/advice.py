"""What whoever has run out of budget is told: what the rest still buys, and whom to ask. Knows no data."""

from datasets.ledger.errors import BudgetExhausted, DeltaExhausted
from privacy.about import spoken
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


def advice(schema: Schema, refusal: BudgetExhausted | DeltaExhausted) -> Words:
    """What the rest of the budget still buys of a dataset (of δ it buys nothing), and whom to ask for more."""
    ask = whom_to_ask(schema)
    if isinstance(refusal, DeltaExhausted):
        return ask
    error = error_of_count(schema, min(refusal.remaining, schema.price_per_query_max))
    buys = BUYS_NOTHING if error is None else BUYS.filled(error=f"{error:,}")
    return Words(ja=buys.ja + ask.ja, en=buys.en + ask.en)


def whom_to_ask(schema: Schema) -> Words:
    """Whom to ask for more budget: the dataset's contact, where it declares one."""
    contact = schema.about.contact
    if not contact:
        return ASK_ADMINISTRATOR
    # Filled for each language by itself: the contact has a text for each, too.
    ja, en = (spoken(contact, language, "") for language in LANGUAGES)
    return Words(ja=ASK_CONTACT.ja.format(contact=ja), en=ASK_CONTACT.en.format(contact=en))
