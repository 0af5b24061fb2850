"""Other libraries measured beside ours, each run in an environment of its own (`make accuracy-peers`).

A runner is a module of this package, named after its library, that reads a job (JSON) from standard input and
writes noisy values (JSON) to standard output. Nothing of ours but `bench.peers.job` is imported there, and
nothing here is imported by the product.
"""
