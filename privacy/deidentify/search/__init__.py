"""The search for the recoding that loses least."""
