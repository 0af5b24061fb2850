"""Source files: how they are written, and their reading into tables of codes. Knows no plan and no descriptor."""
