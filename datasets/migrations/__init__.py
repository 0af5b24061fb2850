"""The history of the database's shape, run by `datasets.store.migrate`. Steps work on both databases."""
