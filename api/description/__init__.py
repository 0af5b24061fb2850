"""The API's description: openapi.yaml, /docs and the pages on problems."""
