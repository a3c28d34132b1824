"""Who may do what, in one table: the scopes that routes ask for, and the roles that people hold.

A system's credential (API key, client credentials) names its scopes itself; a person has those of their
roles. What is not written here does not exist: `requires` and the file of keys refuse unknown scopes.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

SCOPES: Mapping[str, str] = {
    "payments:write": "create, capture, void and reverse payments",
    "payments:read": "read payments, their history and holds",
    "payments:approve": "approve or reject a reversal that another has proposed",
    "accounts:write": "open accounts, wallets and customers, and change their data",
    "accounts:read": "read accounts, balances, statements, limits and customers",
    "accounts:adjust": "propose a manual adjustment",
    "accounts:freeze": "freeze an account, and never unfreeze one",
    "withdrawals:write": "pay money out of a customer's account",
    "settlement:write": "keep settlement accounts and book money from outside",
    "limits:write": "set limits, and what a reversal of spent money does",
    "kyc:decide": "approve or reject what is known of a customer",
    "dry-run:ask": "ask what a payment would meet, changing nothing",
    "reviews:read": "see payments held for review",
    "reviews:decide": "approve or decline a payment held for review",
    "reviews:any-client": "see and decide the reviews of every client",
    "rules:read": "read the fraud rules and their history",
    "rules:write": "publish fraud rules",
    "webhooks:write": "register webhook endpoints and replay to them",
    "webhooks:read": "read webhook endpoints and deliveries",
    "proposals:read": "see what was proposed and how it was decided",
    "proposals:write": "propose what a second person must approve",
    "proposals:decide": "approve or reject what another has proposed",
    "audit:read": "read the audit log",
    "ops:read": "see how the system runs",
    "ops:write": "replay, discard and repair",
    "trust:read": "read which keys are good and which tokens are revoked",
    "clients:admin": "register clients, and issue and revoke their keys",
    "people:admin": "register people, give them roles, reset their second factor",
}


class Role(StrEnum):
    """What a person is there for."""

    CLIENT = "client"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


_READS = frozenset(
    {"payments:read", "accounts:read", "reviews:read", "rules:read", "webhooks:read", "proposals:read"}
)

# No role decides what it may propose, and none reaches another client's data: `reviews:any-client` is
# given to a system's key only. So is what loosens by itself (`limits:write`): people propose it.
ROLES: Mapping[Role, frozenset[str]] = {
    Role.CLIENT: frozenset(
        {
            *("payments:write", "payments:read", "accounts:write", "accounts:read", "dry-run:ask"),
            *("webhooks:write", "webhooks:read"),
        }
    ),
    Role.OPERATOR: _READS
    | {"reviews:decide", "accounts:freeze", "accounts:adjust", "proposals:write", "withdrawals:write"},
    Role.APPROVER: _READS | {"proposals:decide", "payments:approve", "kyc:decide"},
    Role.AUDITOR: _READS | {"audit:read"},
    Role.ADMIN: frozenset(
        {
            "clients:admin",
            "people:admin",
            "rules:read",
            "rules:write",
            "ops:read",
            "ops:write",
        }
    ),
}


def scopes_of(roles: Iterable[Role]) -> frozenset[str]:
    """All that a holder of these roles may do."""
    return frozenset().union(*(ROLES[role] for role in roles))
