"""A customer: a person whom a client has registered, how to reach them, and how well they are known."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from uuid import UUID

from account_service.domain.kyc import Kyc, KycLevel, KycState


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is personal: kept sealed, shown to the client alone, and told to no other service.

    `mobile` and `email` are in their canonical forms.
    """

    name: str
    mobile: str
    email: str

    def updated(self, *, name: str | None, mobile: str | None, email: str | None) -> "Person":
        """The person with what was given in place of what was known."""
        given = {"name": name, "mobile": mobile, "email": email}
        return replace(self, **{field: value for field, value in given.items() if value is not None})

    def differing(self, other: "Person") -> tuple[str, ...]:
        """The names of the fields in which the two differ."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A registered person. `version` counts what other services have been told of the customer."""

    id: UUID
    client_id: str
    person: Person
    kyc: Kyc
    version: int
    registered_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KycEvent:
    """One move of the workflow, with who made it and why."""

    id: UUID
    customer_id: UUID
    state: KycState
    level: KycLevel
    reason: str | None
    author: str
    at: datetime


class HandleTaken(Exception):
    """Another customer of the client has this mobile number or e-mail address; `field` says which."""

    def __init__(self, field: str) -> None:
        super().__init__(f"another customer has this {field}")
        self.field = field


class CustomerNotFound(Exception):
    """The client has no customer of this id."""
