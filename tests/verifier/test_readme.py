"""What the verifier's README shows works: its programs are run by Node as they stand there, with an honest wallet."""

import asyncio
import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.verifier.browser.places import open_places

README = (Path(__file__).parents[2] / "verifier" / "README.md").read_text("utf-8")
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VERDICT = """
const [secret, headers, body] = JSON.parse(process.env.GIVEN);
console.log(isFromVerifier(secret, headers, body));
"""


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


@pytest.mark.peers
async def test_the_first_program_asks_and_is_answered(tmp_path: Path) -> None:
    program = tmp_path / "ask.mjs"
    program.write_text(blocks("js")[0].replace('"demo"', '"issuers"'), "utf-8")
    async with open_places(tmp_path) as places:
        key = places.shop_api.headers["authorization"].removeprefix("Bearer ")
        environment = {**os.environ, "VERIFIER_URL": places.verifier, "VERIFIER_KEY": key}
        node = await asyncio.create_subprocess_exec("node", program, env=environment, stdout=asyncio.subprocess.PIPE)
        assert node.stdout is not None
        link = (await asyncio.wait_for(node.stdout.readline(), 60)).decode().removeprefix("open ").strip()
        await places.holder.share(link)
        rest, _ = await asyncio.wait_for(node.communicate(), 60)
    assert rest.decode() == "accepted DE\n"


@pytest.mark.peers
@pytest.mark.parametrize(
    ("changes", "age", "expected"),
    [
        ({}, timedelta(), "true"),
        ({"body": "{}"}, timedelta(), "false"),
        ({"secret": "whsec_" + "A" * 32}, timedelta(), "false"),
        ({}, timedelta(minutes=10), "false"),
        ({"time": "soon"}, timedelta(), "false"),
    ],
    ids=["honest", "another body", "another secret", "old", "no time"],
)
async def test_the_webhook_is_believed_only_as_it_was_signed(
    tmp_path: Path, changes: dict[str, str], age: timedelta, expected: str
) -> None:
    program = tmp_path / "hook.mjs"
    program.write_text(blocks("js")[1] + VERDICT, "utf-8")
    sent, body = datetime.now(UTC) - age, '{"type":"transaction.concluded"}'
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": changes.get("time", str(int(sent.timestamp()))),
        "webhook-signature": "v1,bm9uc2Vuc2U= " + Webhook(SECRET).sign("m1", sent, body),
    }
    given = json.dumps([changes.get("secret", SECRET), headers, changes.get("body", body)])
    node = await asyncio.create_subprocess_exec(
        "node", program, env={**os.environ, "GIVEN": given}, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(node.communicate(), 60)
    assert output.decode().strip() == expected


async def test_the_element_on_the_page_is_the_one_that_the_script_defines() -> None:
    (page,) = blocks("html")
    script = Path(__file__).parents[2] / "verifier" / "web" / "static" / "byoid-verify.js"
    assert "/static/byoid-verify.js" in page
    assert 'customElements.define("byoid-verify"' in script.read_text("utf-8")
    assert '<byoid-verify endpoint="/identify">' in page
