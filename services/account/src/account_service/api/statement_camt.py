"""A statement as ISO 20022 camt.053.001.08 (BankToCustomerStatement), written in pieces.

Source: the message definition report of camt.053.001.08. What Florin says in it: one statement for one
account, its opening and closing booked balances, and an entry (booked) for each line with its references and
the other account. Account references are identifications of the scheme `Other`.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from contracts.money import Money, format_decimal

from account_service.api.statement_csv import in_utc
from account_service.domain.posting import PostingKind
from account_service.domain.statement import Position, Statement
from account_service.persistence.entries import EntryView

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_MAX_ACCOUNT_ID = 34
_MAX_UNSTRUCTURED = 140
# What XML 1.0 has no place for, however it is escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_END = "</Stmt></BkToCstmrStmt></Document>\n"


async def statement_camt(
    statement: Statement,
    pages: AsyncIterator[Sequence[EntryView]],
    *,
    message_id: str,
    created_at: datetime,
) -> AsyncIterator[str]:
    """The document in pieces. `message_id` is unique to it and has 35 characters at most."""
    yield _beginning(statement, message_id, created_at)
    async for lines in pages:
        yield "".join(_entry(line) for line in lines)
    yield _END


def _beginning(statement: Statement, message_id: str, created_at: datetime) -> str:
    account, period, at = statement.account, statement.period, in_utc(created_at)
    net = _amount_and_direction(
        statement.closing.balance_minor - statement.opening.balance_minor, account.currency, ccy=False
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="{NAMESPACE}"><BkToCstmrStmt>'
        f"<GrpHdr>{_tag('MsgId', message_id)}{_tag('CreDtTm', at)}</GrpHdr>"
        f"<Stmt>{_tag('Id', message_id)}{_tag('CreDtTm', at)}"
        f"<FrToDt>{_tag('FrDtTm', in_utc(period.begin))}{_tag('ToDtTm', in_utc(period.end))}</FrToDt>"
        f"<Acct>{_account(account.reference, account.currency)}</Acct>"
        f"{_balance('OPBD', statement.opening, account.currency, period.begin)}"
        f"{_balance('CLBD', statement.closing, account.currency, period.end)}"
        f"<TxsSummry><TtlNtries>{_tag('NbOfNtries', str(statement.entry_count))}"
        f"<TtlNetNtry>{net}</TtlNetNtry></TtlNtries></TxsSummry>\n"
    )


def _balance(code: str, position: Position, currency: str, at: datetime) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry>{_tag('Cd', code)}</CdOrPrtry></Tp>"
        f"{_amount_and_direction(position.balance_minor, currency)}{_moment('Dt', at)}</Bal>"
    )


def _entry(line: EntryView) -> str:
    amount = _amount_and_direction(line.amount_minor, line.currency)
    reversal = _tag("RvslInd", "true") if line.kind is PostingKind.REVERSAL else ""
    return (
        f"<Ntry>{_tag('NtryRef', str(line.entry_number))}{amount}{reversal}"
        f"<Sts>{_tag('Cd', 'BOOK')}</Sts>{_moment('BookgDt', line.posted_at)}"
        f"{_moment('ValDt', line.posted_at)}{_tag('AcctSvcrRef', line.posting_id.hex)}"
        f"<BkTxCd><Prtry>{_tag('Cd', line.kind.value)}{_tag('Issr', 'Florin')}</Prtry></BkTxCd>"
        f"<NtryDtls><TxDtls>{_references(line)}{amount}{_other_party(line)}{_remittance(line)}"
        "</TxDtls></NtryDtls></Ntry>\n"
    )


def _references(line: EntryView) -> str:
    payment = _tag("TxId", line.payment_id.hex) if line.payment_id is not None else ""
    original = (
        f"<Prtry>{_tag('Tp', 'reversed payment')}{_tag('Ref', line.reverses.hex)}</Prtry>"
        if line.reverses is not None
        else ""
    )
    return f"<Refs>{_tag('AcctSvcrRef', line.posting_id.hex)}{payment}{original}</Refs>"


def _other_party(line: EntryView) -> str:
    if line.counterparty is None:
        return ""
    role = "DbtrAcct" if line.amount_minor > 0 else "CdtrAcct"
    return f"<RltdPties><{role}>{_account(line.counterparty, line.currency)}</{role}></RltdPties>"


def _remittance(line: EntryView) -> str:
    texts = [text for text in (line.reference, line.description) if text]
    pieces = [
        text[start : start + _MAX_UNSTRUCTURED]
        for text in texts
        for start in range(0, len(text), _MAX_UNSTRUCTURED)
    ]
    return f"<RmtInf>{''.join(_tag('Ustrd', piece) for piece in pieces)}</RmtInf>" if pieces else ""


def _account(reference: str, currency: str) -> str:
    # An identification has 34 characters at most: a longer reference is told whole as the name, and stood for
    # by a digest of it, the same in every statement.
    short = reference
    if len(reference) > _MAX_ACCOUNT_ID:
        short = hashlib.sha256(reference.encode()).hexdigest()[:_MAX_ACCOUNT_ID]
    return f"<Id><Othr>{_tag('Id', short)}</Othr></Id>{_tag('Ccy', currency)}{_tag('Nm', reference)}"


def _amount_and_direction(amount_minor: int, currency: str, *, ccy: bool = True) -> str:
    attribute = f' Ccy="{currency}"' if ccy else ""
    amount = format_decimal(Money(abs(amount_minor), currency))
    return f"<Amt{attribute}>{amount}</Amt>{_tag('CdtDbtInd', 'DBIT' if amount_minor < 0 else 'CRDT')}"


def _moment(name: str, at: datetime) -> str:
    return f"<{name}>{_tag('DtTm', in_utc(at))}</{name}>"


def _tag(name: str, text: str) -> str:
    fit = _NOT_XML.sub("\ufffd", text)
    return f"<{name}>{escape(fit)}</{name}>"
