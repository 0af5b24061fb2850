"""The mathematics of Sudare: no Flask, no SQL, no clock, no files, no environment."""
