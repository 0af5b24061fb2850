"""Why a dataset cannot be registered. Quotes the descriptor, line numbers and limits, never a cell's text.

    Refusal
    ├── ImportProblem        (ingest.errors) the source cannot be read as the descriptor says
    └── RegistrationRefused  the dataset cannot be registered on these terms

A descriptor that is wrong in itself is a DescriptorError (datasets.descriptor).
"""

from privacy.refusal import Refusal


class RegistrationRefused(Refusal, ValueError):
    """The dataset cannot be registered on these terms; the words say why and what to do."""

    code = "registration_refused"
