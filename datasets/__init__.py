"""Which data is registered and on what terms: descriptors, data versions, accounts and the ledger. Knows no HTTP."""
