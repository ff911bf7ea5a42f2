"""DCQL before npm's dcql 3.0.0: random queries and credentials, judged as wallet and as verifier by both.

Left out are the points where the peer is known to be laxer or stricter than OpenID4VP 1.0: arrays of mixed kinds (7.1.1
says error, the peer takes what fits), empty arrays (7.1.1 step 3 says error, the peer finds them), a claim named twice,
claims that are null, fractions (JavaScript has one type of number), and paths into an mdoc that are too long.
"""

import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from byoid.encoding import b64u_encode
from byoid.errors import ByoidError, MalformedInput
from byoid.message import parse_message
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.selection import answer, match, require_sets

pytestmark = pytest.mark.peers

NPM = Path(__file__).parent / "npm"
CASES = 1500
SEED = 20260601
TYPES = ["urn:a", "urn:b"]
SCALARS: list[Any] = ["x", "y", "", 0, 1, 7, True, False]
AUTHORITIES = [("aki", b64u_encode(b"one")), ("aki", b64u_encode(b"two")), ("etsi_tl", "https://lists.example/1")]


@dataclass(frozen=True)
class Held:
    """A credential as the peer describes it."""

    peer: dict[str, Any]

    @property
    def format(self) -> str:
        return str(self.peer["credential_format"])

    @property
    def types(self) -> tuple[str, ...]:
        return (self.peer.get("vct") or self.peer["doctype"],)

    @property
    def claims(self) -> dict[str, Any]:
        found: dict[str, Any] = self.peer.get("claims") or self.peer.get("namespaces") or {}
        return found

    @property
    def holder_bound(self) -> bool:
        return bool(self.peer["cryptographic_holder_binding"])

    @property
    def key_identifiers(self) -> list[bytes]:
        return [name for name in (b"one", b"two") if b64u_encode(name) in self._authorities("aki")]

    @property
    def trusted_lists(self) -> list[str]:
        return self._authorities("etsi_tl")

    def _authorities(self, kind: str) -> list[str]:
        authority = self.peer.get("authority", {"type": None})
        return list(authority["values"]) if authority["type"] == kind else []


class Dice:
    """Makes credentials whose claims have a kind by their name, and queries that fit them now and then."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def value(self, kind: str, depth: int) -> Any:
        if kind == "s" or depth == 0:
            return self.random.choice(SCALARS)
        if kind == "o":
            return self.object(depth - 1)
        count = self.random.randrange(1, 4)
        return [self.value("s" if kind == "l" else "o", depth - 1) for _ in range(count)]

    def object(self, depth: int) -> dict[str, Any]:
        kinds = "sl" if depth == 0 else "solm"
        names = {f"{self.random.choice(kinds)}{self.random.randrange(2)}" for _ in range(4)}
        return {name: self.value(name[0], depth if name[0] in "om" else 1) for name in sorted(names)}

    def credential(self) -> dict[str, Any]:
        common: dict[str, Any] = {"cryptographic_holder_binding": self.chance(0.8)}
        if self.chance(0.6):
            kind, value = self.random.choice(AUTHORITIES)
            common["authority"] = {"type": kind, "values": [value]}
        if self.chance(0.3):
            elements = {f"s{index}": self.random.choice(SCALARS) for index in range(self.random.randrange(1, 4))}
            return {
                "credential_format": "mso_mdoc",
                "doctype": self.random.choice(TYPES),
                "namespaces": {"ns": elements},
                **common,
            }
        vct = self.random.choice(TYPES)
        return {"credential_format": "dc+sd-jwt", "vct": vct, "claims": {"s0": "x", **self.object(2)}, **common}

    def path(self, mdoc: bool) -> list[Any]:
        if mdoc:
            return [self.random.choice(["ns", "ns", "ns", "other"]), f"s{self.random.randrange(4)}"]
        path: list[Any] = []
        kind, depth = "o", 2
        while kind in "olm" and (not path or self.chance(0.8)):
            if kind == "o":
                name = f"{self.random.choice('solm' if depth else 'sl')}{self.random.randrange(2)}"
                path.append(name)
                kind, depth = name[0], depth - (name[0] in "om")
            else:
                path.append(self.random.choice([None, 0, 1]))
                kind = "s" if kind == "l" else "o"
        return path

    def claims(self, mdoc: bool) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for index in range(self.random.randrange(1, 4)):
            claim: dict[str, Any] = {"id": f"c{index}", "path": self.path(mdoc)}
            if self.chance(0.3):
                claim["values"] = self.random.sample(SCALARS, self.random.randrange(1, 5))
            found[json.dumps(claim["path"])] = claim
        return list(found.values())

    def credential_query(self, query_id: str) -> dict[str, Any]:
        mdoc = self.chance(0.3)
        types = self.random.sample(TYPES, self.random.randrange(1, 3))
        meta: dict[str, Any] = {"doctype_value": types[0]} if mdoc else {"vct_values": types}
        query: dict[str, Any] = {"id": query_id, "format": "mso_mdoc" if mdoc else "dc+sd-jwt", "meta": meta}
        if self.chance(0.3):
            query["require_cryptographic_holder_binding"] = self.chance(0.5)
        if self.chance(0.2):
            query["multiple"] = True
        if self.chance(0.3):
            chosen = self.random.sample(AUTHORITIES, self.random.randrange(1, 3))
            query["trusted_authorities"] = [{"type": kind, "values": [value]} for kind, value in chosen]
        if self.chance(0.85):
            query["claims"] = self.claims(mdoc)
            if self.chance(0.4):
                ids = [claim["id"] for claim in query["claims"]]
                query["claim_sets"] = [
                    self.random.sample(ids, self.random.randrange(1, len(ids) + 1)) for _ in range(3)
                ]
        return query

    def query(self) -> dict[str, Any]:
        ids = [f"q{index}" for index in range(self.random.randrange(1, 4))]
        query: dict[str, Any] = {"credentials": [self.credential_query(query_id) for query_id in ids]}
        if self.chance(0.5):
            query["credential_sets"] = [
                {
                    "options": [self.random.sample(ids, self.random.randrange(1, len(ids) + 1)) for _ in range(2)],
                    **({"required": self.chance(0.5)} if self.chance(0.5) else {}),
                }
                for _ in range(self.random.randrange(1, 3))
            ]
        return query

    def case(self) -> dict[str, Any]:
        query, credentials = self.query(), [self.credential() for _ in range(self.random.randrange(1, 6))]
        shown = [each["id"] for each in query["credentials"] if self.chance(0.8)] or ["q0"]
        presentation = {
            query_id: self.random.choices(credentials, k=2 if self.chance(0.1) else 1) for query_id in shown
        }
        return {"query": query, "credentials": credentials, "presentation": presentation}


def as_wallet(query: DcqlQuery, credentials: list[dict[str, Any]]) -> dict[str, Any]:
    held = [Held(each) for each in credentials]
    found = match(query, held)
    answers = {
        query_id: [[_position(held, each.candidate), len(each.claim_sets)] for each in options]
        for query_id, options in found.answers.items()
    }
    sets = [[list(option) for option in each.options] for each in found.sets] if query.credential_sets else []
    return {"satisfiable": found.satisfiable, "answers": answers, "sets": sets}


def _position(held: list[Held], candidate: Held) -> int:
    return next(index for index, each in enumerate(held) if each is candidate)


def as_verifier(query: DcqlQuery, presentation: dict[str, list[dict[str, Any]]]) -> bool:
    try:
        for query_id, shown in presentation.items():
            credential = query.credential(query_id)
            if credential is None or (len(shown) > 1 and not credential.multiple):
                return False
            for each in shown:
                answer(credential, Held(each))
        require_sets(query, presentation.keys())
    except ByoidError:
        return False
    return True


def _has_index(query: DcqlQuery) -> bool:
    paths = [path for credential in query.credentials for path in credential.paths]
    return any(isinstance(component, int) for path in paths for component in path)


def ask_peer(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    run = subprocess.run(
        ["node", "dcql-match.mjs"],
        cwd=NPM,
        input=json.dumps(cases).encode(),
        capture_output=True,
        check=True,
        timeout=120,
    )
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def test_both_agree_on_random_queries_and_credentials() -> None:
    dice = Dice(SEED)
    cases = [dice.case() for _ in range(CASES)]

    satisfied = 0
    for case, theirs in zip(cases, ask_peer(cases), strict=True):
        query = parse_message(DcqlQuery, case["query"])
        ours = {
            "refused": False,
            "wallet": as_wallet(query, case["credentials"]),
            "verifier": as_verifier(query, case["presentation"]),
        }
        # The peer takes an index of a query for any element that is shown; for us it stands for one.
        if theirs["verifier"] and not ours["verifier"] and _has_index(query):
            theirs["verifier"] = False
        assert ours == theirs, json.dumps(case)
        satisfied += ours["wallet"]["satisfiable"]  # type: ignore[index]  # a mapping
    assert CASES / 10 < satisfied < CASES * 9 / 10


GOOD: dict[str, Any] = {"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:a"]}}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("no credentials", {"credentials": []}),
    ("id twice", {"credentials": [GOOD, GOOD]}),
    ("id with a space", {"credentials": [{**GOOD, "id": "a b"}]}),
    ("claims empty", {"credentials": [{**GOOD, "claims": []}]}),
    ("path empty", {"credentials": [{**GOOD, "claims": [{"path": []}]}]}),
    ("negative index", {"credentials": [{**GOOD, "claims": [{"path": [-1]}]}]}),
    (
        "claim set with an unknown id",
        {"credentials": [{**GOOD, "claims": [{"id": "a", "path": ["a"]}], "claim_sets": [["b"]]}]},
    ),
    ("claim sets without claims", {"credentials": [{**GOOD, "claim_sets": [["b"]]}]}),
    ("option with an unknown id", {"credentials": [GOOD], "credential_sets": [{"options": [["b"]]}]}),
    ("authority without values", {"credentials": [{**GOOD, "trusted_authorities": [{"type": "aki", "values": []}]}]}),
]


def test_both_refuse_queries_that_break_a_rule() -> None:
    answers = ask_peer([{"query": query, "credentials": [], "presentation": {}} for _, query in REFUSED])
    for (name, query), theirs in zip(REFUSED, answers, strict=True):
        assert theirs["refused"], name
        with pytest.raises(MalformedInput):
            parse_message(DcqlQuery, query)
