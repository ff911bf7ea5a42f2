"""The verifier: a relying party's back end over HTTP. The pure call is the library's."""

from byoid.presentation.verify import verify_vp_token

__all__ = ["verify_vp_token"]
