"""Builders of generalisation hierarchies, one file a kind; `plan.py` chooses by what a processing plan says."""
