"""The processing plan of a record set: read, as values, checked against the data."""
