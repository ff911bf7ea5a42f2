"""JSON for people to read: indented, but what fits into a line stays on it."""

import json
from typing import Any, Final

WIDTH: Final = 100


def pretty(value: Any, indent: int = 0) -> str:
    """Write a value; `indent` is how far it stands from the margin."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= WIDTH or not isinstance(value, dict | list):
        return line
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {pretty(each, indent + 2)}" for name, each in value.items()]
    else:
        parts = [pretty(each, indent + 2) for each in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(parts) + f"\n{' ' * indent}{closing}"
