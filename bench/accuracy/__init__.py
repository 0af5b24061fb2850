"""How far answers are from the truth: measured, expected from theory, and beside other libraries at the same ε."""
