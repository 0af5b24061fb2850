"""`python -m api` is `sudare`."""

from api.commands.main import main

main(prog_name="sudare")
