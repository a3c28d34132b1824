"""What the ledger should do, in the plainest Python: dictionaries, no SQL, and none of the service's code.

Every method says in a word what is to happen, and lets it happen to the model.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

IN = {"ACTIVE", "DEBIT_FROZEN"}
OUT = {"ACTIVE", "CREDIT_FROZEN", "CLOSING"}
HOLD = {"ACTIVE", "CREDIT_FROZEN"}
STATES = ("ACTIVE", "FROZEN", "DEBIT_FROZEN", "CREDIT_FROZEN", "CLOSING", "CLOSED")


@dataclass
class ModelHold:
    """Money of one account that is kept for another until a second of the model's time."""

    debtor: str
    creditor: str
    amount: int
    tolerance: int
    many: bool
    expires: int
    captured: int = 0
    state: str = "OPEN"
    times_ended: int = 0
    placed: int = 0

    @property
    def leaves(self) -> int:
        """What has left by it or still may."""
        return self.amount + self.tolerance if self.state == "OPEN" else self.captured

    @property
    def remaining(self) -> int:
        return max(self.amount - self.captured, 0) if self.state == "OPEN" else 0

    def end(self, state: str) -> None:
        self.state = state
        self.times_ended += 1


@dataclass
class ModelAccount:
    """One account."""

    posted: int
    overdraft: int
    state: str = "ACTIVE"
    entries: int = 1


@dataclass
class Model:
    """All accounts and holds of one client, and the time."""

    accounts: dict[str, ModelAccount]
    date_at: Callable[[str, int], date]  # an account's calendar: its date at a second
    holds: list[ModelHold] = field(default_factory=list)
    now: int = 0
    paid: list[tuple[str, int, int]] = field(default_factory=list)  # by whom, when, how much
    limits: dict[str, dict[str, int]] = field(default_factory=dict)  # of an account, or of "all"

    def held(self, name: str) -> int:
        return sum(hold.remaining for hold in self.holds if hold.debtor == name)

    def available(self, name: str) -> int:
        account = self.accounts[name]
        return account.posted - self.held(name) + account.overdraft

    def spendable(self, name: str) -> int:
        """Who closes spends no overdraft."""
        account = self.accounts[name]
        return self.available(name) - (account.overdraft if account.state == "CLOSING" else 0)

    def leaving(self, name: str) -> Iterator[tuple[int, int]]:
        """When and how much has left the account or may leave it: all that there ever was, added up anew."""
        yield from ((at, amount) for payer, at, amount in self.paid if payer == name)
        yield from ((hold.placed, hold.leaves) for hold in self.holds if hold.debtor == name and hold.leaves)

    def used(self, name: str) -> dict[str, int]:
        today = self.date_at(name, self.now)
        days = [(self.date_at(name, at), amount) for at, amount in self.leaving(name)]
        of_day = [amount for day, amount in days if day == today]
        of_month = [amount for day, amount in days if (day.year, day.month) == (today.year, today.month)]
        return {
            "daily_count": len(of_day),
            "daily_sum": sum(of_day),
            "monthly_count": len(of_month),
            "monthly_sum": sum(of_month),
        }

    def refused_by_limits(self, payer: str, amount: int) -> str | None:
        """The last rule before money moves or is held."""
        for limits in (self.limits.get(payer, {}), self.limits.get("all", {})):
            if not limits.get("payment_min", 0) <= amount <= limits.get("payment_max", amount):
                return "limit_exceeded"
            for name, used in self.used(payer).items():
                if used + (1 if name.endswith("count") else amount) > limits.get(name, 10**9):
                    return "limit_exceeded"
        return None

    def refused(self, debtor: str, creditor: str, ways: set[str]) -> str | None:
        if debtor == creditor:
            return "same_account"
        for role, name, lets in (("debtor", debtor, ways), ("creditor", creditor, IN)):
            state = self.accounts[name].state
            if state not in lets:
                return f"{role}_closed" if state in {"CLOSING", "CLOSED"} else f"{role}_frozen"
        return None

    def unmet(self, name: str, version: int | None, least: int | None) -> str | None:
        if version is not None and version != self.accounts[name].entries:
            return "condition_not_met"
        if least is not None and self.available(name) < least:
            return "condition_not_met"
        return None

    def move(self, debtor: str, creditor: str, amount: int) -> str:
        for name, change in ((debtor, -amount), (creditor, amount)):
            self.accounts[name].posted += change
            self.accounts[name].entries += 1
        return "completed"

    def pay(
        self, debtor: str, creditor: str, amount: int, version: int | None = None, least: int | None = None
    ) -> str:
        refusal = self.refused(debtor, creditor, OUT) or self.unmet(debtor, version, least)
        if refusal is None and amount > self.spendable(debtor):
            refusal = "insufficient_funds"
        refusal = refusal or self.refused_by_limits(debtor, amount)
        if refusal is None:
            self.paid.append((debtor, self.now, amount))
        return refusal or self.move(debtor, creditor, amount)

    def reverse(self, debtor: str, creditor: str, amount: int) -> str:
        """Not held to limits, and not counted."""
        refusal = self.refused(debtor, creditor, OUT)
        if refusal is None and amount > self.spendable(debtor):
            refusal = "payee_has_spent_it"
        return refusal or self.move(debtor, creditor, amount)

    def hold(self, hold: ModelHold) -> str:
        if hold.debtor == hold.creditor:
            return "same_account"
        refusal = "hold_expired" if hold.expires <= self.now else None
        refusal = refusal or self.refused(hold.debtor, hold.creditor, HOLD)
        if refusal is None and hold.amount > self.spendable(hold.debtor):
            refusal = "insufficient_funds"
        refusal = refusal or self.refused_by_limits(hold.debtor, hold.amount + hold.tolerance)
        if refusal is None:
            hold.placed = self.now
            self.holds.append(hold)
        return refusal or "held"

    def capture(self, hold: ModelHold, amount: int, *, final: bool) -> str:
        if hold.state != "OPEN":
            return f"hold_{hold.state.lower()}"
        if hold.expires <= self.now:
            return "hold_expired"
        if hold.captured + amount > hold.amount + hold.tolerance:
            return "capture_exceeds_hold"
        refusal = self.refused(hold.debtor, hold.creditor, OUT)
        if refusal is not None:
            return refusal
        beyond = amount - hold.remaining
        if beyond > 0 and beyond > self.spendable(hold.debtor):
            return "insufficient_funds"
        hold.captured += amount
        if final or not hold.many or hold.captured == hold.amount + hold.tolerance:
            hold.end("CAPTURED")
        return self.move(hold.debtor, hold.creditor, amount)

    def void(self, hold: ModelHold) -> str:
        if hold.state == "OPEN":
            hold.end("VOIDED")
        return hold.state.lower()

    def expire(self) -> int:
        due = [hold for hold in self.holds if hold.state == "OPEN" and hold.expires <= self.now]
        for hold in due:
            hold.end("EXPIRED")
        return len(due)

    def set_state(self, name: str, wanted: str) -> str:
        account = self.accounts[name]
        if wanted == account.state:
            return "moved"
        if account.state == "CLOSED":
            return "illegal"
        if account.state == "CLOSING" and wanted in {"DEBIT_FROZEN", "CREDIT_FROZEN"}:
            return "illegal"
        open_holds = any(hold.state == "OPEN" and hold.debtor == name for hold in self.holds)
        if wanted == "CLOSED" and (account.posted != 0 or open_holds):
            return "not_empty"
        account.state = wanted
        return "moved"

    def set_overdraft(self, name: str, overdraft: int) -> str:
        account = self.accounts[name]
        if overdraft == account.overdraft:
            return "set"
        if account.state == "CLOSED":
            return "closed"
        if account.posted - self.held(name) + overdraft < 0:
            return "in_use"
        account.overdraft = overdraft
        return "set"
