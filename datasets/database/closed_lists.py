"""The closed lists that columns are constrained to: values alone, so that whoever lists choices loads no database."""

ROLES = ("analyst", "portal", "clerk", "reviewer", "approver", "administrator", "auditor", "monitor")
# In the order in which they pay, and in which their rows are locked within a lineage.
ACCOUNT_KINDS = ("user", "organisation", "contract", "reserve", "dataset", "population")
# Their accounts are limits over everybody, which protect the people in the data: more of one takes two people.
CAPS = ("dataset", "population", "reserve")
# Their accounts carry the head of a journal.
CHAINED = ("dataset", "population")
OUTCOMES = ("answered", "failed")
GRANT_STATES = ("pending", "effective", "declined", "returned")
GRANT_CHANGES = ("raise", "lower")
STOPPED = ("dataset", "organisation", "user")
