"""The lists of trusted entities that the verifier follows, beside its trust file (ETSI TS 119 602)."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from byoid.errors import MalformedInput
from byoid.service.trust_files import load_trust
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.trusted_list import LIST_TYPE
from byoid.trusted_lists import FollowedTrust, ListToFollow, Read
from verifier.context import Verifier
from verifier.settings import TrustedListSetting, VerifierSettings

LOOK_EVERY: Final = timedelta(minutes=1)
_logger = logging.getLogger(__name__)


def follow(settings: VerifierSettings, read: Read) -> FollowedTrust:
    """Read the trust file, and the pinned certificates of those who sign lists. No list is asked yet.

    Raises:
        MalformedInput: a file cannot be read; the message names it.
    """
    lists = [_to_follow(each) for each in settings.trusted_lists]
    return FollowedTrust(load_trust(settings.trust), lists, read=read, interval=settings.trusted_list_interval)


async def keep_lists_fresh(verifier: Verifier) -> None:
    """Ask the lists when it is time, until cancelled.

    Each worker has its own trust, so this is no job that one does for all.
    """
    while verifier.settings.trusted_lists:
        await asyncio.sleep(LOOK_EVERY.total_seconds())
        try:
            changed = await verifier.trust.refresh(now=verifier.clock())
        except Exception:  # the next look must come, or what is overdue would stay trusted
            _logger.exception("trusted lists could not be looked at")
            continue
        if changed:
            _logger.info("trust has changed: %d anchors", len(verifier.anchors))


def _to_follow(setting: TrustedListSetting) -> ListToFollow:
    list_type = setting.type if "://" in setting.type else LIST_TYPE + setting.type
    try:
        pem = setting.signer.read_bytes()
        signers = TrustAnchors.from_pem(pem, [Purpose.TRUSTED_LIST], setting.signer.name, pinned=True)
    except (OSError, MalformedInput) as error:
        raise MalformedInput(f"{setting.signer.name}: the signer of the trusted list cannot be read") from error
    return ListToFollow(setting.url, list_type, signers, setting.purposes)
