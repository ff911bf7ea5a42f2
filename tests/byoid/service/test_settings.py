"""Settings: what production refuses, and that every mistake is named at once without its value."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from byoid.service.settings import ServiceSettings, SettingsError, is_loopback, parse_keys

WEAK = "k:" + base64.urlsafe_b64encode(b"\x07" * 32).decode()
RANDOM = base64.urlsafe_b64encode(bytes(range(32))).decode()


class IssuerSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ISSUER_")

    lists: tuple[str, ...] = ()


def test_good_settings_are_frozen(settings: ServiceSettings) -> None:
    assert list(parse_keys(settings.sealing_keys)) == ["b", "a"]
    with pytest.raises(ValidationError, match="frozen"):
        settings.log_level = "debug"  # type: ignore[misc]  # that is the test


def test_keys_do_not_show_themselves(settings: ServiceSettings) -> None:
    assert settings.sealing_keys[0].get_secret_value() not in repr(settings)


def test_the_environment_is_read_with_the_services_prefix(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"ISSUER_{name.upper()}", value)
    monkeypatch.setenv("ISSUER_ALLOWED_NETWORKS", "10.1.0.0/16, fd00::/8")
    settings = IssuerSettings.load()
    assert settings.public_url == "https://issuer.example"
    assert [str(each) for each in settings.allowed_networks] == ["10.1.0.0/16", "fd00::/8"]


@pytest.mark.hostile
def test_what_is_to_be_json_and_is_not_is_named(monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]) -> None:
    monkeypatch.setenv("ISSUER_LISTS", "https://secret.example")
    with pytest.raises(SettingsError, match=r'"lists".*expected JSON') as error:
        IssuerSettings.load(**values)
    assert "secret" not in str(error.value)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_url", "http://issuer.example"),
        ("public_url", "http://localhost:8001"),
        ("public_url", "https://issuer.example/"),
        ("public_url", "https://issuer.example?x=1"),
        ("public_url", "https://someone@issuer.example"),
        ("public_url", "issuer.example"),
        ("database_url", "sqlite://"),
        ("database_url", "sqlite:///:memory:"),
        ("database_url", "mysql://localhost/x"),
        ("database_url", "issuer.db"),
        ("allow_loopback_http", True),
        ("sealing_keys", ""),
        ("sealing_keys", f"demo:{RANDOM}"),
        ("sealing_keys", f"demo-2:{RANDOM}"),
        ("sealing_keys", WEAK),
        ("sealing_keys", f"k:{RANDOM[:20]}"),
        ("sealing_keys", "k:not base64!"),
        ("sealing_keys", f":{RANDOM}"),
        ("sealing_keys", f"k:{RANDOM},k:{RANDOM}"),
        ("profile", "staging"),
        ("max_body_bytes", 5),
        ("allowed_networks", "10.0.0.0/99"),
    ],
)
def test_production_refuses(values: dict[str, Any], name: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        IssuerSettings.load(**{**values, name: value})
    assert [each.split(":")[0].split(".")[0] for each in caught.value.mistakes] == [f"ISSUER_{name.upper()}"]


def test_every_mistake_is_named_at_once_without_its_value(values: dict[str, Any]) -> None:
    wrong = {"public_url": "http://hidden.example", "sealing_keys": f"demo:{RANDOM}", "database_url": "hidden"}
    with pytest.raises(SettingsError) as caught:
        IssuerSettings.load(**{**values, **wrong, "log_level": "hidden"})
    assert len(caught.value.mistakes) == 4
    assert all(each in str(caught.value) for each in caught.value.mistakes)
    assert "hidden" not in str(caught.value)
    assert RANDOM not in str(caught.value)


def test_a_missing_setting_is_named(values: dict[str, Any]) -> None:
    del values["public_url"]
    with pytest.raises(SettingsError, match="ISSUER_PUBLIC_URL: Field required"):
        IssuerSettings.load(**values)


def test_a_demo_may_use_http_on_this_machine_and_demo_keys(values: dict[str, Any]) -> None:
    demo = {"profile": "demo", "allow_loopback_http": True, "public_url": "http://localhost:8001"}
    settings = ServiceSettings.load(**{**values, **demo, "sealing_keys": f"demo:{RANDOM}", "database_url": "sqlite://"})
    assert settings.profile == "demo"


@pytest.mark.parametrize("url", ["http://issuer.example", "http://10.0.0.1", "http://localhost.example"])
def test_even_a_demo_uses_https_to_other_machines(values: dict[str, Any], url: str) -> None:
    with pytest.raises(SettingsError, match="only for this machine"):
        ServiceSettings.load(**{**values, "profile": "demo", "allow_loopback_http": True, "public_url": url})


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("a.localhost", True), ("127.0.0.1", True), ("::1", True), ("example", False), (None, False)],
)
def test_loopback_names(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected
