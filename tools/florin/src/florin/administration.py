"""Clients, keys, signing keys and people, over the identity service's API with the operator's key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx2

from florin.clients import api_client
from florin.environment import KEEPS_CLIENTS, Surroundings
from florin.errors import StackError

OPERATOR = "operator"
_PAGE = 200
Item = Mapping[str, Any]


@dataclass(frozen=True)
class Administration:
    """Asks the identity service; every refusal is a StackError in its words."""

    _http: httpx2.AsyncClient

    @classmethod
    def of(cls, surroundings: Surroundings) -> Self:
        """On a stack that runs; to be closed (`async with`)."""
        return cls(api_client(surroundings, KEEPS_CLIENTS, client=OPERATOR))

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def add_client(self, client_id: str, *, name: str, scopes: Sequence[str]) -> Item:
        """The client, registered now or just so before."""
        body = {"id": client_id, "name": name, "scopes": list(scopes)}
        return await self._ask("POST", "/v1/clients", body)

    async def clients(self) -> Sequence[Item]:
        """All of them, by id."""
        return await self._all("/v1/clients")

    async def set_status(self, client_id: str, status: str, *, reason: str) -> Item:
        """The client, suspended or let in again."""
        return await self._ask(
            "POST", f"/v1/clients/{client_id}/status", {"status": status, "reason": reason}
        )

    async def add_key(
        self, client_id: str, *, label: str, scopes: Sequence[str] = (), not_after: str | None = None
    ) -> Item:
        """The new key, and as `secret` its text, which is shown this once."""
        asked: dict[str, Any] = {"label": label}
        if scopes:
            asked["scopes"] = list(scopes)
        if not_after is not None:
            asked["not_after"] = not_after
        return await self._ask("POST", f"/v1/clients/{client_id}/keys", asked)

    async def keys(self, client_id: str) -> Sequence[Item]:
        """The client's keys, oldest first."""
        return await self._all(f"/v1/clients/{client_id}/keys")

    async def key_of(self, client_id: str, prefix: str) -> Item:
        """The key that is known by this prefix."""
        found = next((key for key in await self.keys(client_id) if key["prefix"] == prefix), None)
        if found is None:
            raise StackError(
                f"{client_id} has no key {prefix!r}: `florin keys list {client_id}` shows those it has"
            )
        return found

    async def rotate_key(self, client_id: str, prefix: str, *, overlap_s: int) -> Item:
        """The new key with its text, and as `replaced` the old one."""
        key = await self.key_of(client_id, prefix)
        path = f"/v1/clients/{client_id}/keys/{key['id']}/rotations"
        return await self._ask("POST", path, {"overlap_s": overlap_s})

    async def revoke_key(self, client_id: str, prefix: str, *, reason: str) -> Item:
        """The key, revoked."""
        key = await self.key_of(client_id, prefix)
        path = f"/v1/clients/{client_id}/keys/{key['id']}/revocation"
        return await self._ask("POST", path, {"reason": reason})

    async def rotate_signing_keys(self, *, overlap_s: int | None = None) -> Sequence[Item]:
        """The key that signed, the one that signs now, and the one that stands by."""
        body = {} if overlap_s is None else {"overlap_s": overlap_s}
        items: Sequence[Item] = (await self._ask("POST", "/v1/signing-keys/rotations", body))["items"]
        return items

    async def signing_keys(self) -> Sequence[Item]:
        """The keys that sign tokens, newest first."""
        items: Sequence[Item] = (await self._ask("GET", "/v1/signing-keys"))["items"]
        return items

    async def add_person(self, *, client: str | None, name: str, email: str, roles: Sequence[str]) -> Item:
        """The person, and as `invitation` the text that lets them enrol, which is shown this once."""
        body: dict[str, Any] = {"name": name, "email": email, "roles": list(roles)}
        return await self._ask("POST", "/v1/people", body if client is None else {**body, "client": client})

    async def people(self) -> Sequence[Item]:
        """All of every client, in the order in which they were registered."""
        return await self._all("/v1/people")

    async def set_roles(self, person: str, roles: Sequence[str]) -> Item:
        """The person, with these roles and no others."""
        return await self._ask("PUT", f"/v1/people/{person}/roles", {"roles": list(roles)})

    async def person(self, person: str) -> Item:
        """The person, as they stand."""
        return await self._ask("GET", f"/v1/people/{person}")

    async def disable(self, person: str) -> Item:
        """The person, shut out."""
        return await self._ask("POST", f"/v1/people/{person}/disable")

    async def invite_again(self, person: str) -> Item:
        """The person, and the invitation to enrol a password and an authenticator anew."""
        return await self._ask("POST", f"/v1/people/{person}/invitation")

    async def enable(self, person: str) -> Item:
        """The same for one who was shut out; raises StackError for anybody else."""
        state = (await self.person(person))["state"]
        if state != "disabled":
            raise StackError(f"{person} is {state}, not disabled: there is nothing to be done")
        return await self.invite_again(person)

    async def reset_second_factor(self, person: str) -> Item:
        """The person, and the invitation to enrol another authenticator."""
        return await self._ask("POST", f"/v1/people/{person}/second-factor/reset")

    async def _all(self, path: str) -> Sequence[Item]:
        items: list[Item] = []
        query: dict[str, str | int] = {"limit": _PAGE}
        while True:
            page = await self._ask("GET", path, query=query)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query = {"limit": _PAGE, "cursor": page["next_cursor"]}

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
    ) -> Item:
        try:
            answer = await self._http.request(method, path, json=body, params=query)
        except httpx2.TransportError as error:
            raise StackError(f"the identity service does not answer ({error!r}): run `florin up`") from error
        if answer.is_success:
            told: Item = answer.json()
            return told
        raise StackError(_refusal(answer))


def _refusal(answer: httpx2.Response) -> str:
    try:
        problem = answer.json()
        faults = "; ".join(f"{fault['field']} {fault['message']}" for fault in problem["errors"])
        return f"{problem['detail']} {faults}".strip()
    except (ValueError, KeyError, TypeError):
        return f"the identity service answered {answer.status_code}"
