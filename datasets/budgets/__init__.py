"""Budgets as people ask for them: of a dataset by its name, in its measure. Refuses what names no account.

GrantRefused (Refusal)    `member` of the request is wrong, "" where no single one is
├── UnknownDataset        no dataset of that name
├── UnknownPopulation     no population of that name
├── NoDataset             no dataset where one is needed
├── ViewHasNoBudget       a view, whose answers its sources pay for
├── WrongMembers          the members that were given are wrong, whatever they say
│   ├── NotOneAccount     none or several accounts
│   ├── PopulationStandsAlone  a dataset beside a population
│   └── WrongMeasure      an amount that is not in the dataset's measure, none or several
├── AmountTooLarge        the account's lifetime total would pass the limit of amounts
├── TotalBelowSpent       a first cap that is less than was spent without one
├── MoreThanUnspent       more is to be taken back than is left unspent
└── NothingGranted        whoever is to have less has no account on the dataset
"""
