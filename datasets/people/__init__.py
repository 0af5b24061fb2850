"""Organisations, users, roles and keys."""
