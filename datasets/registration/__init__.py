"""From a source, or from joined sources, to a serving version."""
