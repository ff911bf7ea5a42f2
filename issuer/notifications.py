"""The notification endpoint: what became of a batch at the wallet (OpenID4VCI 11). The same again changes nothing."""

from typing import Any

from byoid.issuance.notification import NotificationRequest
from byoid.wire_errors import InvalidNotificationId
from issuer.context import Issuer


async def take_notification(issuer: Issuer, grant: Any, notification: NotificationRequest) -> None:
    """Note the event.

    Raises:
        InvalidNotificationId: not of a batch of this grant.
    """
    notification_hash = issuer.hash("notification", notification.notification_id.encode())
    batch = await issuer.store.batch(notification_hash, grant_id=grant.id)
    if batch is None:
        raise InvalidNotificationId("no such notification id")
    async with issuer.store.transaction() as tx:
        if await issuer.store.notify(tx, batch.id, event=notification.event):
            await issuer.events.notified(tx, batch_id=batch.id, event=notification.event)
