"""One file a step, numbered in the order in which they run. A step that was ever released never changes."""
