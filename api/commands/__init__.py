"""The command line, `sudare`: one file a group of commands."""
