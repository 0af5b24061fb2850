"""De-identification of a file: a plan is read, its run makes a record set and a report. Arrays go to `privacy`."""
