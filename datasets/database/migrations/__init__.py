"""The history of the database's shape, run by `datasets.database.store.migrate`. Steps work on both databases."""
