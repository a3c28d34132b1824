"""What became of a request to the ledger."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from account_service.domain.hold import Hold, HoldEnd
from account_service.domain.rules import Declined


@dataclass(frozen=True, slots=True)
class Completed:
    """The money has moved; `hold` is what it was captured from, as it stands since."""

    posting_id: UUID
    posted_at: datetime
    hold: Hold | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Held:
    """The money is held from now on."""

    held_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """The hold is over: by this request, or (`repeated`) since before."""

    hold: Hold
    end: HoldEnd
    repeated: bool


@dataclass(frozen=True, slots=True)
class Stands:
    """Nothing has changed and nobody need be told."""


Outcome = Completed | Held | Ended | Stands | Declined
