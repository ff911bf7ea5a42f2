"""The notification endpoint: the wallet tells what became of the credentials (OpenID4VCI 1.0 11).

Idempotent. A batch of which one credential failed has failed; `credential_deleted` means that the person said no.
"""

from typing import Annotated, Literal

from pydantic import Field

from byoid.errors import MalformedInput
from byoid.message import Message, parse_message
from byoid.wire_errors import InvalidNotificationRequest


class NotificationRequest(Message):
    """What became of the credentials of one response (11.1)."""

    notification_id: Annotated[str, Field(min_length=1)]
    event: Literal["credential_accepted", "credential_failure", "credential_deleted"]
    event_description: Annotated[str, Field(pattern=r"^[\x20-\x21\x23-\x5B\x5D-\x7E]*\z")] | None = None


def parse_notification_request(data: bytes | str) -> NotificationRequest:
    """Parse the JSON of a notification, as the issuer.

    Raises:
        InvalidNotificationRequest: malformed. That the id is unknown is `InvalidNotificationId` (11.3).
    """
    try:
        return parse_message(NotificationRequest, data)
    except MalformedInput as error:
        raise InvalidNotificationRequest("the notification request is malformed", detail=str(error)) from error
