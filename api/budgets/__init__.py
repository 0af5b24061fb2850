"""Privacy budgets, grants and the journal over HTTP."""
