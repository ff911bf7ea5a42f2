"""QR codes of links, as SVG for pages and PNG for letters and e-mail."""

import io
from typing import Any

import qrcode
import qrcode.constants
from qrcode.image.svg import SvgPathImage


def _code(link: str) -> "qrcode.QRCode[Any]":
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4, box_size=10)
    code.add_data(link)
    code.make(fit=True)
    return code


def svg(link: str) -> str:
    """Return an SVG element, without an XML declaration, that scales to its box; dark on white in every theme."""
    image = _code(link).make_image(image_factory=SvgPathImage)
    return image.to_string(encoding="unicode")


def png(link: str) -> bytes:
    """Return a PNG image."""
    buffer = io.BytesIO()
    _code(link).make_image().save(buffer)
    return buffer.getvalue()
