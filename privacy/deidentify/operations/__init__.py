"""Operations on records other than generalisation: a column of codes in, a column and its figures out.

Nothing here decides what a table needs, and none of it is differential privacy.
"""
