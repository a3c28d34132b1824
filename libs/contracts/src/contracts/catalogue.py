"""Every message type that crosses a service boundary: who may send it, who must hear it, what it says.

The name is at once the CloudEvents `type` and the AMQP routing key. A frame whose signature is not the
producer's named here is refused, whatever else is right about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from contracts import messages
from contracts.messages import Payload


@dataclass(frozen=True, slots=True)
class MessageType:
    """One versioned message type and its single producer."""

    name: str
    producer: str
    consumers: tuple[str, ...]
    payload: type[Payload]

    @property
    def summary(self) -> str:
        """The payload's own first line."""
        return (self.payload.__doc__ or self.name).strip().splitlines()[0]


TRANSACTION, ACCOUNT, FRAUD, NOTIFICATION = "transaction", "account", "fraud", "notification"

CATALOGUE: tuple[MessageType, ...] = (
    MessageType("florin.payment.initiated.v1", TRANSACTION, (FRAUD,), messages.PaymentInitiated),
    MessageType("florin.fraud.assessed.v1", FRAUD, (TRANSACTION,), messages.FraudAssessed),
    MessageType("florin.review.resolved.v1", FRAUD, (TRANSACTION,), messages.ReviewResolved),
    MessageType("florin.posting.requested.v1", TRANSACTION, (ACCOUNT,), messages.PostingRequested),
    MessageType("florin.posting.completed.v1", ACCOUNT, (TRANSACTION,), messages.PostingCompleted),
    MessageType("florin.posting.declined.v1", ACCOUNT, (TRANSACTION,), messages.PostingDeclined),
    MessageType("florin.void.requested.v1", TRANSACTION, (ACCOUNT,), messages.VoidRequested),
    MessageType("florin.hold.placed.v1", ACCOUNT, (TRANSACTION,), messages.HoldPlaced),
    MessageType("florin.hold.ended.v1", ACCOUNT, (TRANSACTION,), messages.HoldEnded),
    MessageType("florin.customer.registered.v1", ACCOUNT, (TRANSACTION,), messages.CustomerRegistered),
    MessageType("florin.customer.account-opened.v1", ACCOUNT, (TRANSACTION,), messages.CustomerAccountOpened),
    MessageType("florin.payment.in-review.v1", TRANSACTION, (NOTIFICATION,), messages.PaymentInReview),
    MessageType("florin.payment.approved.v1", TRANSACTION, (NOTIFICATION,), messages.PaymentApproved),
    MessageType("florin.payment.voided.v1", TRANSACTION, (NOTIFICATION,), messages.PaymentVoided),
    MessageType("florin.payment.expired.v1", TRANSACTION, (NOTIFICATION,), messages.PaymentExpired),
    MessageType("florin.payment.settled.v1", TRANSACTION, (NOTIFICATION,), messages.PaymentSettled),
    MessageType("florin.payment.rejected.v1", TRANSACTION, (NOTIFICATION,), messages.PaymentRejected),
)

BY_NAME: Mapping[str, MessageType] = MappingProxyType({entry.name: entry for entry in CATALOGUE})
BY_PAYLOAD: Mapping[type[Payload], MessageType] = MappingProxyType({e.payload: e for e in CATALOGUE})
SERVICES: tuple[str, ...] = (TRANSACTION, ACCOUNT, FRAUD, NOTIFICATION)

assert len(BY_NAME) == len(BY_PAYLOAD) == len(CATALOGUE), "a name or a payload stands twice"
# A mandatory publish of a type that nobody hears would come back for ever.
assert all(entry.consumers for entry in CATALOGUE), "a message type without a consumer"


def heard_by(service: str) -> tuple[MessageType, ...]:
    """The message types that `service` consumes, in catalogue order."""
    return tuple(entry for entry in CATALOGUE if service in entry.consumers)
