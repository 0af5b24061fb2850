"""The database and the files beside it: connections, tables, migrations."""
