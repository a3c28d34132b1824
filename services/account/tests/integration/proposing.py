"""Ways to propose, and to end what is proposed."""

from typing import Any
from uuid import uuid4

import httpx2

from .bank import Bank

WORD = {"approve": "approval", "reject": "rejection", "withdraw": "withdrawal"}


async def propose(bank: Bank, caller: str = "maker", *, key: str = "", **body: Any) -> httpx2.Response:
    """Ask for a proposal."""
    return await bank.send(
        "POST", "/v1/proposals", {"reason": "Ticket 12"} | body, key=key or uuid4().hex, caller=caller
    )


async def proposed(bank: Bank, caller: str = "maker", **body: Any) -> str:
    """The id of a new proposal."""
    answer = await propose(bank, caller, **body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def end(bank: Bank, proposal_id: str, word: str, caller: str = "checker") -> httpx2.Response:
    """Approve, reject or withdraw."""
    path = f"/v1/proposals/{proposal_id}/{WORD[word]}"
    return await bank.send("POST", path, {"reason": "Looked at it"}, key=None, caller=caller)


def told(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the code, or the proposal's state."""
    body = answer.json()
    return answer.status_code, str(body["code"] if "code" in body else body["state"])


def adjustment(account: str, amount_minor: int = 300, **given: Any) -> dict[str, Any]:
    """The body of one that adds crowns to an account."""
    facts = {"kind": "adjustment", "account": account, "direction": "credit", "currency": "CZK"}
    return facts | {"amount_minor": amount_minor} | given
