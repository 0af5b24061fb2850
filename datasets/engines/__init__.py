"""Exact integers for a plan, computed where the data lies. Refuses a place that cannot be opened; knows no prices,
draws no noise.

The errors are drawn in `errors`; `base` says what an engine is, `engines` which there are.
"""
