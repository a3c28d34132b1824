"""What a superuser may do to what two people decided, with the check that must find it."""

_DECIDED = "each proposal was decided by another than who made it, in its time, or withdrawn by who made it"
_APPROVED = "what names a proposal, and each adjustment, was approved, as it was done"
_ONCE = "each approved proposal was carried out, once, and came to what was told"
_ALONE = "no person loosened alone"
_CROSSES = "money crosses the books' own accounts by the postings that are for it, and by no others"


def _made_by(schema: str, kind: str) -> str:
    return f"(SELECT id FROM {schema}.proposals WHERE kind = '{kind}' LIMIT 1)"


def _ends(what: str, schema: str, kind: str) -> str:
    return f"UPDATE {schema}.proposal_ends SET {what} WHERE proposal_id = {_made_by(schema, kind)}"


def _terms(path: str, value: str, schema: str, kind: str) -> str:
    changed = f"jsonb_set(terms, '{{{path}}}', '{value}')"
    return f"UPDATE {schema}.proposals SET terms = {changed} WHERE kind = '{kind}'"


_MAKER = "author = (SELECT proposed_by FROM {}.proposals WHERE id = proposal_id)"

PROPOSAL_TAMPERINGS: dict[str, tuple[str, ...]] = {
    "an adjustment that its maker approved": (
        _DECIDED,
        _ends(_MAKER.format("account"), "account", "adjustment"),
    ),
    "a reversal that its maker approved": (
        _DECIDED,
        _ends(_MAKER.format("transaction"), "transaction", "reversal"),
    ),
    "a proposal withdrawn by another": (
        _DECIDED,
        "UPDATE account.proposal_ends SET author = 'person:x' WHERE state = 'WITHDRAWN'",
    ),
    "an approval that came too late": (
        _DECIDED,
        _ends("ended_at = ended_at + interval '1 hour'", "account", "unfreezing"),
    ),
    "an adjustment without a proposal": (
        _APPROVED,
        "UPDATE account.postings SET proposal_id = NULL WHERE kind = 'adjustment'",
    ),
    "an adjustment that was rejected": (_APPROVED, _ends("state = 'REJECTED'", "account", "adjustment")),
    "an adjustment of which nobody decided": (_APPROVED, "DELETE FROM account.proposal_ends"),
    "an adjustment of another amount": (_APPROVED, _terms("amount_minor", "1", "account", "adjustment")),
    "an adjustment the other way": (_APPROVED, _terms("direction", '"debit"', "account", "adjustment")),
    "an unfreezing of another account": (_APPROVED, _terms("account", '"B"', "account", "unfreezing")),
    "an overdraft of another amount": (
        _APPROVED,
        "UPDATE account.account_overdraft_changes SET overdraft_minor = 51 WHERE proposal_id IS NOT NULL",
    ),
    "limits of another figure": (
        _APPROVED,
        "UPDATE account.limit_changes SET daily_count = 901 WHERE daily_count = 900",
    ),
    "limits of another level": (
        _APPROVED,
        "UPDATE account.limit_changes SET kyc_level = 'basic' WHERE kyc_level = 'full'",
    ),
    "a reversal of another payment": (
        _APPROVED,
        "UPDATE transaction.payments SET reverses = id WHERE id IN "
        "(SELECT payment_id FROM transaction.approved_reversals)",
    ),
    "a reversal limit of another amount": (
        _APPROVED,
        "UPDATE transaction.reversal_limit_changes SET amount_minor = 11 WHERE proposal_id IS NOT NULL",
    ),
    "a reversal that carries nothing out": (_ONCE, "DELETE FROM transaction.approved_reversals"),
    "an adjustment that is told as another": (
        _ONCE,
        _ends("outcome = jsonb_set(outcome, '{posting_id}', '\"x\"')", "account", "adjustment"),
    ),
    "a rejection told as an approval": (
        _ONCE,
        "UPDATE account.proposal_ends SET state = 'APPROVED' WHERE state = 'REJECTED'",
    ),
    "a person who unfroze": (
        _ALONE,
        "UPDATE account.account_state_changes SET proposal_id = NULL WHERE proposal_id IS NOT NULL",
    ),
    "a person who raised an overdraft": (
        _ALONE,
        "UPDATE account.account_overdraft_changes SET proposal_id = NULL WHERE proposal_id IS NOT NULL",
    ),
    "a person who set limits": (
        _ALONE,
        "UPDATE account.limit_changes SET proposal_id = NULL WHERE proposal_id IS NOT NULL",
    ),
    "a person who set a limit of reversals": (
        _ALONE,
        "UPDATE transaction.reversal_limit_changes SET proposal_id = NULL WHERE proposal_id IS NOT NULL",
    ),
    "an adjustment told as a deposit": (
        _CROSSES,
        "UPDATE account.postings SET kind = 'deposit' WHERE kind = 'adjustment'",
    ),
}
