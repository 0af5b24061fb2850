"""What is left to use in a record set."""
