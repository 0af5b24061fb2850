"""De-identification: a table about people → a record set that meets stated privacy models, and the proof.

Arrays in, arrays and figures out: no files, no clock, no environment (`datasets/records/` has those).
k is not in the law: nothing here says that a table is legally anonymous, only which checks it passed.
"""
