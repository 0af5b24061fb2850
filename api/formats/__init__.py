"""Forms in which an answer's table leaves: one file a format, and a registry. The same released numbers in each.

A format renders and computes nothing: what is rounded or made whole has been so before.
"""
