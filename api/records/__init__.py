"""What people read about a de-identified record set."""
