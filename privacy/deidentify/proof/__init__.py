"""What is proven of a record set after it was made, apart from the search that made it."""
