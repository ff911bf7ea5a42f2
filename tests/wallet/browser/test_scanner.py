"""Codes are read in the page: from the camera, and from a picture. Nothing of them is uploaded."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import async_playwright

from byoid.service import qr
from tests.wallet.browser.conftest import FLAGS, NewPhone, make_phone
from tests.wallet.browser.places import Places

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def picture(link: str) -> Image.Image:
    """A photo of a QR code in the middle of something white."""
    code = Image.open(io.BytesIO(qr.png(link))).convert("RGB")
    code.thumbnail((460, 460))
    photo = Image.new("RGB", (640, 480), "white")
    photo.paste(code, ((640 - code.width) // 2, (480 - code.height) // 2))
    return photo


@pytest_asyncio.fixture(loop_scope="session")
async def camera_phone(places: Places, tmp_path: Path) -> AsyncIterator[NewPhone]:
    """A phone whose camera looks at a code."""
    async with async_playwright() as playwright:

        async def make(*, sees: str) -> object:
            frame = io.BytesIO()
            picture(sees).save(frame, "JPEG", quality=92)
            film = tmp_path / "camera.mjpeg"
            film.write_bytes(frame.getvalue() * 30)
            flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}"]
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
            return await make_phone(browser, places, permissions=["camera"])

        yield make


async def test_a_code_is_read_by_the_camera(camera_phone: NewPhone, places: Places) -> None:
    phone = await camera_phone(sees=places.offer("pid_sd_jwt").link())
    await phone.create_wallet()
    await phone.go("/add")

    await phone.page.click("#scan")

    await phone.page.wait_for_selector("#fetch-offer")
    assert phone.complaints == []


async def test_a_code_is_read_from_a_picture(new_phone: NewPhone, places: Places, tmp_path: Path) -> None:
    phone = await new_phone()
    await phone.create_wallet()
    path = tmp_path / "code.png"
    picture(places.offer("pid_sd_jwt").link()).save(path)
    await phone.go("/add")

    await phone.page.set_input_files("#picture", path)

    await phone.page.wait_for_selector("#fetch-offer")


async def test_a_picture_without_a_code_is_told(new_phone: NewPhone, tmp_path: Path) -> None:
    phone = await new_phone()
    await phone.create_wallet()
    path = tmp_path / "nothing.png"
    Image.new("RGB", (200, 200), "white").save(path)
    await phone.go("/add")

    await phone.page.set_input_files("#picture", path)

    await phone.page.wait_for_selector("#message:not([hidden])")
