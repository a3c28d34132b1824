"""Turn what a client asks for into orders: find the accounts of parties that were named otherwise.

A retry must be told what it was told first, whatever has changed since: where a name has no account any more,
or an expiry has come, the payment that the key has made is looked for before anything is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.party import PartyName, PartyNotFound
from transaction_service.domain.payment import InvalidPayment, Payment, PaymentOrder
from transaction_service.persistence import parties, payments

PARTIES = ("debtor", "creditor")


@dataclass(frozen=True, slots=True)
class AskedPayment:
    """A payment as it was asked for: the parties that are named, and what makes the order of their accounts.

    `write(accounts, digests)` may raise `InvalidPayment`.
    """

    client_id: str
    idempotency_key: str
    currency: str
    names: Mapping[str, PartyName]
    write: Callable[[Mapping[str, str], Mapping[str, str]], PaymentOrder]


Refused = InvalidPayment | PartyNotFound


async def write_orders(
    connection: AsyncConnection, asked: Sequence[AskedPayment], *, client_id: str, at: datetime
) -> list[PaymentOrder | Refused]:
    """Return the order of each, or why there is none. One statement, however many names there are."""
    places = [(i, party) for i, one in enumerate(asked) for party in one.names]
    names = [(asked[i].names[party], asked[i].currency) for i, party in places]
    accounts: list[dict[str, str]] = [{} for _ in asked]
    if names:
        found = await parties.resolve(connection, client_id=client_id, names=names)
        for place, account in found.items():
            i, party = places[place]
            accounts[i][party] = account
    orders = [_write(one, named, at) for one, named in zip(asked, accounts, strict=True)]
    retried = [asked[i] for i, order in enumerate(orders) if not isinstance(order, PaymentOrder)]
    if not retried:
        return orders
    earlier = await payments.load_by_keys(
        connection, {(one.client_id, one.idempotency_key) for one in retried}
    )
    return [
        order if isinstance(order, PaymentOrder) else _write_again(one, order, earlier)
        for one, order in zip(asked, orders, strict=True)
    ]


def _write(one: AskedPayment, accounts: Mapping[str, str], at: datetime) -> PaymentOrder | Refused:
    try:
        for party in one.names:
            if party not in accounts:
                raise PartyNotFound(party)
        order = one.write(accounts, _digests(one))
        if order.hold is not None and not order.hold.is_timely(accepted_at=at):
            raise InvalidPayment("expiry_out_of_range", "hold.expires_at", "must be within the next 31 days")
    except (InvalidPayment, PartyNotFound) as refused:
        return refused
    return order


def _write_again(
    one: AskedPayment, refused: Refused, earlier: Mapping[tuple[str, str], Payment]
) -> PaymentOrder | Refused:
    """The order on the accounts that the key's payment has, to be compared with it; else the refusal."""
    payment = earlier.get((one.client_id, one.idempotency_key))
    if payment is None:
        return refused
    accounts = {party: getattr(payment.order, party) for party in one.names}
    try:
        return one.write(accounts, _digests(one))
    except InvalidPayment as still:
        return still


def _digests(one: AskedPayment) -> dict[str, str]:
    return {
        party: name.digest(client_id=one.client_id, idempotency_key=one.idempotency_key, party=party)
        for party, name in one.names.items()
    }
