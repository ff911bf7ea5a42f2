"""Status List Aggregation: where all the status lists of an issuer are to be found.

Spec: draft-ietf-oauth-status-list 9. The lists themselves are in `status_list`, which does without messages.
"""

from byoid.message import Array, Message


class StatusListAggregation(Message):
    """The URIs of an issuer's status lists (9.3), published as `application/json`."""

    status_lists: Array[str]
