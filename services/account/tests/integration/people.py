"""People whom no other test knows."""

import json
import secrets
from typing import Any

from .bank import Bank


def mobile() -> str:
    """A Czech mobile number in its canonical form."""
    return f"+42060{secrets.choice('12345678')}{secrets.randbelow(10**6):06d}"


def email() -> str:
    """An e-mail address in its canonical form."""
    return f"jana.{secrets.token_hex(6)}@example.com"


def person(**given: Any) -> dict[str, Any]:
    """The body that registers a customer with an account in CZK."""
    return {"name": "Jana Nová", "mobile": mobile(), "email": email(), "currency": "CZK"} | given


async def register(bank: Bank, *, caller: str = "bank", **given: Any) -> dict[str, Any]:
    """A registered customer, as the API tells it."""
    answer = await bank.send("POST", "/v1/customers", person(**given), caller=caller)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def told_of(bank: Bank, customer_id: str) -> list[dict[str, Any]]:
    """The events written about a customer, in order."""
    rows = await bank.rows("SELECT body FROM outbox WHERE subject = :id ORDER BY position", id=customer_id)
    return [json.loads(row.body) for row in rows]
