"""Statements of the hot path, run by the driver itself within SQLAlchemy's transaction.

A payment's way has some thirty statements, and on an idle machine SQLAlchemy's part of each took longer than
the server's. Transactions, pool and everything read by people stay with SQLAlchemy.
"""

import re
from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_NAME = re.compile(r"(?<![:\w]):([a-z_]+)")


class Statement:
    """SQL with `:named` parameters, each of which Postgres must be told the type of (`CAST(:ids AS uuid[])`).

    Raises what SQLAlchemy would: `DBAPIError`, whose `orig` bears the server's `sqlstate`.
    """

    def __init__(self, sql: str) -> None:
        numbers: dict[str, int] = {}
        self._sql = _NAME.sub(lambda name: f"${numbers.setdefault(name[1], len(numbers) + 1)}", sql)
        self._names = tuple(numbers)

    async def rows(self, connection: AsyncConnection, parameters: Mapping[str, Any]) -> list[Any]:
        """Run it; return the rows, whose columns are to be taken by position."""
        values = [parameters[name] for name in self._names]
        driver = _driver_of(connection)
        if not driver.is_in_transaction():
            # SQLAlchemy begins its transaction with its first statement, and no sooner.
            return list((await connection.exec_driver_sql(self._sql, tuple(values))).all())
        try:
            return await driver.fetch(self._sql, *values)
        except _ERRORS as error:
            raise _as_sqlalchemy(error, driver) from error

    async def run(self, connection: AsyncConnection, parameters: Mapping[str, Any]) -> int:
        """Run it; return how many rows it has written."""
        values = [parameters[name] for name in self._names]
        driver = _driver_of(connection)
        if not driver.is_in_transaction():
            return (await connection.exec_driver_sql(self._sql, tuple(values))).rowcount
        try:
            told = await driver.execute(self._sql, *values)
        except _ERRORS as error:
            raise _as_sqlalchemy(error, driver) from error
        last = told.rsplit(" ", 1)[-1]  # "UPDATE 17", "INSERT 0 17"
        return int(last) if last.isdigit() else 0


def _driver_of(connection: AsyncConnection) -> "asyncpg.Connection[asyncpg.Record]":
    pooled = connection.sync_connection
    assert pooled is not None, "a started connection"
    driver: asyncpg.Connection[asyncpg.Record] | None = pooled.connection.driver_connection
    assert driver is not None, "a checked-out connection has its driver's"
    return driver


def _as_sqlalchemy(error: Exception, driver: "asyncpg.Connection[asyncpg.Record]") -> DBAPIError:
    # Its own states confused: the server has ended the session while nothing was asked of it.
    lost = driver.is_closed() or isinstance(error, asyncpg.InternalClientError)
    return DBAPIError(None, None, error, hide_parameters=True, connection_invalidated=lost)
