"""Statements about subscriptions and the notices that wait for them (`subscriptions.py`, `notices.py`)."""

from typing import Final

from sqlalchemy import Table, bindparam, delete, func, select, update

from byoid.service.columns import UtcDateTime
from byoid.service.database import Expiry, insert
from wallet.notice_tables import Notice, PendingNotice, Subscription

SUBSCRIPTION: Final[Table] = vars(Subscription)["__table__"]
NOTICE: Final[Table] = vars(PendingNotice)["__table__"]
BATCH: Final = 10  # tried at the same time, each over a connection of its own

# subscriptions
INSERT = insert(SUBSCRIPTION)
_MINE = (SUBSCRIPTION.c.id == bindparam("of_id"), SUBSCRIPTION.c.person_id == bindparam("of_person"))
_OF_PERSON = SUBSCRIPTION.c.person_id == bindparam("of_person")
ALL = select(SUBSCRIPTION).where(_OF_PERSON).order_by(SUBSCRIPTION.c.created_at)
ONE = select(SUBSCRIPTION).where(*_MINE)
COUNT = select(func.count()).where(_OF_PERSON)
SAME = select(SUBSCRIPTION).where(_OF_PERSON, SUBSCRIPTION.c.fingerprint == bindparam("of_fingerprint"))
REPLACE = delete(SUBSCRIPTION).where(_OF_PERSON, SUBSCRIPTION.c.fingerprint == bindparam("of_fingerprint"))
CHOOSE = update(SUBSCRIPTION).where(*_MINE).values(security=bindparam("new_security"), cards=bindparam("new_cards"))
CONFIRM = update(SUBSCRIPTION).where(*_MINE).values(confirmed=True)
DELETE = delete(SUBSCRIPTION).where(*_MINE)
DELETE_NOTICES = delete(NOTICE).where(NOTICE.c.subscription_id == bindparam("of_id"))
_SECURITY = NOTICE.c.kind == Notice.SECURITY
NOT_FOR_SECURITY, NOT_FOR_CARDS = DELETE_NOTICES.where(_SECURITY), DELETE_NOTICES.where(~_SECURITY)
NEVER_CONFIRMED: Final = Expiry(SUBSCRIPTION, expires_at=SUBSCRIPTION.c.created_at, only=~SUBSCRIPTION.c.confirmed)
FORGET = (delete(NOTICE).where(NOTICE.c.person_id == bindparam("of_person")), delete(SUBSCRIPTION).where(_OF_PERSON))

# notices
_IN_TIME = bindparam("due", type_=UtcDateTime())
FOR_SECURITY = (
    select(SUBSCRIPTION.c.id)
    .where(SUBSCRIPTION.c.person_id == bindparam("of_person"), SUBSCRIPTION.c.confirmed, SUBSCRIPTION.c.security)
)  # fmt: skip
FOR_CARDS = (
    select(SUBSCRIPTION.c.id)
    .where(SUBSCRIPTION.c.person_id == bindparam("of_person"), SUBSCRIPTION.c.confirmed, SUBSCRIPTION.c.cards)
)  # fmt: skip
PUT = (
    insert(NOTICE)
    .values(
        id=bindparam("new_id"), subscription_id=bindparam("of_subscription"), person_id=bindparam("of_person"),
        kind=bindparam("of_kind"), tries=0, due_at=_IN_TIME,
    )
    .on_conflict_do_update(
        index_elements=[NOTICE.c.subscription_id, NOTICE.c.kind], set_={"due_at": _IN_TIME, "tries": 0}
    )
)  # fmt: skip
WITHDRAW = delete(NOTICE).where(NOTICE.c.person_id == bindparam("of_person"), NOTICE.c.kind == bindparam("of_kind"))
_DUE = (
    select(NOTICE.c.id)
    .where(NOTICE.c.due_at <= bindparam("now", type_=UtcDateTime()))
    .order_by(NOTICE.c.due_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
TAKE = (
    update(NOTICE)
    .where(NOTICE.c.id.in_(_DUE.scalar_subquery()))
    .values(due_at=bindparam("later", type_=UtcDateTime()), tries=NOTICE.c.tries + 1)
    .returning(NOTICE)
)
_COUNTED = (NOTICE.c.id == bindparam("of_id"), NOTICE.c.tries == bindparam("counted"))
DONE = delete(NOTICE).where(*_COUNTED)
DELAY = update(NOTICE).where(*_COUNTED).values(due_at=bindparam("later", type_=UtcDateTime()))
TARGET = select(SUBSCRIPTION).where(SUBSCRIPTION.c.id == bindparam("of_id"))
