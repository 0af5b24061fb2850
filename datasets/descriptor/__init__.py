"""Descriptors: what people write about a dataset, read strictly."""
