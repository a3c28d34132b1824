"""Find a client's account; what belongs to another client is not there."""

from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountRecord
from account_service.persistence import accounts


class AccountNotFound(Exception):
    """The client has no account of this reference."""

    def __init__(self, reference: str) -> None:
        super().__init__("there is no such account")
        self.reference = reference


async def read_account(connection: AsyncConnection, client_id: str, reference: str) -> AccountRecord:
    """The account as it stands; raises AccountNotFound."""
    record = await accounts.load_account(connection, client_id, reference)
    if record is None:
        raise AccountNotFound(reference)
    return record
