"""`python -m api` is `sudare`."""

from api.cli import main

main(prog_name="sudare")
