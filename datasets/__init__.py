"""What is held and on what terms: descriptors, data versions, accounts and the ledger. Knows no HTTP."""
