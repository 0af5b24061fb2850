"""A made-up Japanese city of any size: three registers about the same residents, and nobody real."""

from datasets.sample.write import FILES, generate

__all__ = ["FILES", "generate"]
