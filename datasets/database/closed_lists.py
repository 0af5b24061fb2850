"""The closed lists that columns are constrained to: values alone, so that whoever lists choices loads no database."""

ROLES = ("analyst", "portal", "clerk", "reviewer", "approver", "administrator")
ACCOUNT_KINDS = ("dataset", "organisation", "user")
OUTCOMES = ("answered", "failed")
GRANT_STATES = ("pending", "effective", "declined")
