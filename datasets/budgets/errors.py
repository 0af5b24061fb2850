"""What is refused of a request for a grant, and which member of it is wrong. Quotes what the caller sent."""

from collections.abc import Mapping

from privacy.budget import Price
from privacy.refusal import Refusal
from privacy.schema import Measure
from privacy.words import Words


class GrantRefused(Refusal):
    """A request for a grant that doesn't fit. `member` is the one that is wrong, "" where no single one is."""

    member: str


class UnknownDataset(GrantRefused):
    """There is no dataset of that name."""

    code = "unknown_dataset"
    words = Words(ja="データセット {id} はありません", en="no dataset {id}")
    member = "dataset"

    def __init__(self, id: str) -> None:
        super().__init__()
        self.id = id


class UnknownPopulation(GrantRefused):
    """No register belongs to a population of that name."""

    code = "unknown_population"
    words = Words(
        ja="母集団 {name} に属するデータセットはありません", en="no dataset belongs to a population {name}"
    )
    member = "population"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class NoDataset(GrantRefused):
    """The account is one on a dataset, and none is named."""

    code = "no_dataset"
    words = Words(ja="データセットを指定してください", en="name the dataset")
    member = "dataset"


# An answer of a view is charged to each of its sources: an account of the view itself would pay for nothing.
class ViewHasNoBudget(GrantRefused):
    """The dataset is a view; `sources` are the datasets that it joins, with commas between."""

    code = "is_a_view"
    words = Words(
        ja="{id} はビューです。回答は元のデータセットの予算を消費するため、{sources} に付与してください",
        en="{id} is a view, whose answers its sources pay for: grant on {sources}",
    )
    member = "dataset"

    def __init__(self, id: str, *, sources: str) -> None:
        super().__init__()
        self.id, self.sources = id, sources


class WrongMembers(GrantRefused):
    """Other members must be given; `choices` are those of which one is wanted, or the one that is wrong."""

    member = ""
    choices: tuple[str, ...]

    def naming(self, names: Mapping[str, str]) -> Words:
        """The sentence with the members called as the caller calls them: by its options, say."""
        called = ", ".join(names[member] for member in self.choices)
        return self.words.filled(**vars(self) | {"named": called})

    def message(self) -> Words:
        """What the caller is told."""
        return self.naming({member: member for member in self.choices})


class NotOneAccount(WrongMembers):
    """None or several of the accounts that a grant may be for."""

    code = "not_one_account"
    words = Words(ja="{named} のどれか一つだけを指定してください", en="give exactly one of {named}")
    choices = ("user", "organisation", "dataset_cap", "population")


class PopulationStandsAlone(WrongMembers):
    """The cap of a population is over all of its datasets: it has none beside it."""

    code = "population_stands_alone"
    words = Words(
        ja="母集団の上限はそのすべてのデータセットに共通です。{named} は指定しないでください",
        en="the cap of a population is one for all of its datasets: leave {named} out",
    )
    member = "dataset"
    choices = ("dataset",)


# Never converted: ε and ρ buy different things, 1 of ρ amounts to some 10 of ε.
class WrongMeasure(WrongMembers):
    """The amount is not in the dataset's measure, or there are none or several; `member` if one was given."""

    code = "wrong_measure"
    words = Words(
        ja="{dataset} の予算の単位は {unit} です。{named} だけを指定してください",
        en="the budget of {dataset} is counted in {unit}: give {named}, and nothing else",
    )

    def __init__(self, *, member: str, dataset: str, measure: Measure, expected: str) -> None:
        super().__init__()
        self.member, self.dataset, self.measure, self.expected = member, dataset, measure, expected
        self.unit = {"pure": "ε", "zcdp": "ρ"}[measure]
        self.choices = (expected,)


class AmountTooLarge(GrantRefused):
    """The account's lifetime total would pass the limit of amounts."""

    code = "above_lifetime_limit"
    words = Words(
        ja="{amount} を加えると、口座の生涯合計が予算の量の上限を超えます",
        en="{amount} would take the account's lifetime total past the limit of amounts",
    )

    def __init__(self, *, member: str, amount: Price) -> None:
        super().__init__()
        self.member, self.amount = member, amount


class MoreThanUnspent(GrantRefused):
    """More is to be taken back than the account has left: `amount` is above `remaining`."""

    code = "more_than_unspent"
    words = Words(
        ja="{account} の未使用分は {remaining} です。{amount} は取り消せません",
        en="{account} has {remaining} unspent: {amount} cannot be taken back",
    )

    def __init__(self, *, member: str, account: str, amount: Price, remaining: Price) -> None:
        super().__init__()
        self.member, self.account, self.amount, self.remaining = member, account, amount, remaining


class TotalBelowSpent(GrantRefused):
    """The first cap of a population would be less than was spent without one."""

    code = "total_below_spent"
    words = Words(
        ja="{account} ではすでに {spent} を使用しています。最初の上限は生涯の合計であり、{amount} では足りません",
        en="{account} has spent {spent} already, and a first cap is the total of a lifetime: {amount} is too little",
    )

    def __init__(self, *, member: str, account: str, amount: Price, spent: Price) -> None:
        super().__init__()
        self.member, self.account, self.amount, self.spent = member, account, amount, spent


class NothingGranted(GrantRefused):
    """Whoever is to have less was granted nothing on this dataset."""

    code = "nothing_granted"
    words = Words(ja="{holder} は {dataset} に予算を持っていません", en="{holder} has no budget on {dataset}")

    def __init__(self, *, member: str, holder: str, dataset: str) -> None:
        super().__init__()
        self.member, self.holder, self.dataset = member, holder, dataset
