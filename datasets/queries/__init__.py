"""The order of one answer, and no other order."""
