"""The process that serves: gunicorn's settings, its worker, health and metrics."""
