"""Exact integers for a plan, computed where the data lives. An engine knows no prices and draws no noise."""
