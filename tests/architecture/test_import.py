"""What an import loads: the library alone must stay free of frameworks, and its public names must resolve."""

import subprocess
import sys

FRAMEWORKS = ("fastapi", "sqlmodel", "sqlalchemy", "httpx2", "httpx", "starlette")


def loaded_by(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def test_the_package_alone_loads_neither_frameworks_nor_cryptography() -> None:
    assert loaded_by("import byoid").isdisjoint((*FRAMEWORKS, "cryptography", "pydantic", "joserfc", "cbor2"))


def test_verifying_loads_nothing_that_takes_long_to_import() -> None:
    modules = loaded_by("from byoid import verify_vp_token")

    assert modules.isdisjoint((*FRAMEWORKS, "pydantic", "joserfc", "asyncio", "ssl", "http", "logging"))
    assert "byoid.presentation" in modules


def test_every_public_name_resolves() -> None:
    modules = loaded_by("import byoid\nfor name in byoid.__all__: assert getattr(byoid, name).__name__, name")

    assert modules.isdisjoint(FRAMEWORKS)


def test_an_unknown_name_is_an_attribute_error() -> None:
    loaded_by("import byoid\ntry:\n  byoid.nothing\nexcept AttributeError: pass\nelse: raise SystemExit(1)")
