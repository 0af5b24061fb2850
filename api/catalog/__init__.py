"""Which datasets can be asked, and their public schemas, over HTTP."""
