"""What all endpoints share: bytes to values, identity, limits, refusals, headers."""
