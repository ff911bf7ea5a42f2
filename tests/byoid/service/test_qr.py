"""QR codes: what is drawn is what a phone reads."""

import io

import zxingcpp
from PIL import Image

from byoid.service import qr

LINK = "openid4vp://authorize?client_id=x509_san_dns%3Averifier.example&request_uri=https%3A%2F%2Fverifier.example%2Fr"


def test_a_phone_reads_the_link_from_the_picture() -> None:
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(qr.png(LINK))))

    assert found.text == LINK


def test_the_drawing_is_one_element_that_scales_and_does_not_repeat_the_link() -> None:
    svg = qr.svg(LINK)

    assert svg.startswith("<svg")
    assert "viewBox" in svg
    assert "openid4vp" not in svg
