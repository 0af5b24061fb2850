"""The ledger: accounts, grants, the journal and the answers charged to them."""
