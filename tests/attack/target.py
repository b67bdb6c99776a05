"""The service under attack: where it is, and tokens for it, good and bad."""

import os
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.deployments.described import check_common
from tests.deployments.tokens import claims, public_pem

URL = "FACESERVE_ATTACK_URL"
ANSWER_WITHIN_S = 60.0
REFUSED = frozenset(range(400, 500))


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that the service trusts, and what its tokens have to say."""

    key: str
    algorithm: str
    issuer: str
    audience: str
    kid: str | None = None

    def token(self, **changes: Any) -> str:
        """Return a token with every scope and with `changes`; a claim that is changed to None is left out."""
        said = claims(**({"iss": self.issuer, "aud": self.audience} | changes))
        return jwt.encode(said, self.key, self.algorithm, headers=None if self.kid is None else {"kid": self.kid})


@dataclass
class Target:
    """A running service. Every answer to its clients is counted, and looked at for what no answer may have."""

    url: str
    signer: Signer
    public_key: str | None = None  # in PEM, if the service has one
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    statuses: Counter[int] = field(default_factory=Counter)
    tenants: set[str] = field(default_factory=set)

    @property
    def tenant(self) -> str:
        """A tenant of this run alone, so that a service in use keeps its own data."""
        return self.tenant_called("a")

    def tenant_called(self, name: str) -> str:
        """Return the tenant of this run with this name."""
        tenant = f"attack-{self.run}-{name}"
        self.tenants.add(tenant)
        return tenant

    def client(self, **changes: Any) -> httpx.Client:
        """Return a client with a good token of this run's tenant, with `changes` to its claims."""
        return self.bearing(self.signer.token(**({"tenant": self.tenant} | changes)))

    def bearing(self, token: str | None) -> httpx.Client:
        """Return a client with this token, whatever it is, or with none."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        hooks = {"response": [self._look_at]}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=ANSWER_WITHIN_S, event_hooks=hooks, trust_env=False
        )

    def clean_up(self) -> None:
        """Delete what this run left in its tenants."""
        for tenant in tuple(self.tenants):
            with self.client(tenant=tenant) as client:
                for collection in self._collections(client):
                    client.delete(f"/v1/collections/{collection}", params={"force": "true"}).raise_for_status()

    def _collections(self, client: httpx.Client) -> Iterator[str]:
        while found := client.get("/v1/collections", params={"limit": 100}).raise_for_status().json()["collections"]:
            yield from (collection["id"] for collection in found)

    def _look_at(self, response: httpx.Response) -> None:
        response.read()
        self.statuses[response.status_code] += 1
        assert response.status_code < 500, f"{response.request.method} {response.request.url.path}: {response.text}"
        check_common(response)


def signer_of(environment: Mapping[str, str]) -> Signer:
    """Return the signer that an operator named, see the README of this folder. Raises KeyError without a key."""
    path = environment.get("FACESERVE_ATTACK_KEY_FILE")
    return Signer(
        key=Path(path).read_text(encoding="utf-8") if path else environment["FACESERVE_JWT_SECRET"],
        algorithm=environment.get("FACESERVE_ATTACK_ALGORITHM", "HS256"),
        issuer=environment.get("FACESERVE_ATTACK_ISSUER", "faceserve"),
        audience=environment.get("FACESERVE_ATTACK_AUDIENCE", "faceserve"),
        kid=environment.get("FACESERVE_ATTACK_KID"),
    )


def foreign_target() -> Target | None:
    """Return the operator's own deployment, None where there is none to attack."""
    url = os.environ.get(URL)
    if url is None:
        return None
    signer = signer_of(os.environ)
    is_private = signer.algorithm != "HS256"
    return Target(
        url.rstrip("/"), signer, public_pem(load_pem_private_key(signer.key.encode(), None)) if is_private else None
    )
