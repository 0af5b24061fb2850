"""Benchmarks of de-identification (`make bench-deid`): the engine beside ARX, big made-up tables, the command line."""
