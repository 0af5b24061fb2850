"""The processing plan of a record set: read, as values, held against the data."""
