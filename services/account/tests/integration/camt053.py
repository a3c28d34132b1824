"""The structure of ISO 20022 camt.053.001.08, as far as a statement of ours could use it.

Written from the message definition report: for each type its elements in their order, `?` at most once, `*`
any number, `+` at least once; `=` before the elements of a choice. A type that is no key here is simple, and
its text is checked by `_SIMPLE`.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_ACCOUNT = "Id:AccountId Tp:Unused? Ccy:CurrencyCode? Nm:Max70Text? Prxy:Unused?"
_COMPLEX = {
    "Document": "BkToCstmrStmt:Message",
    "Message": "GrpHdr:GroupHeader Stmt:Statement+ SplmtryData:Unused*",
    "GroupHeader": "MsgId:Max35Text CreDtTm:DateTime MsgRcpt:Unused? MsgPgntn:Unused? OrgnlBizQry:Unused? "
    "AddtlInf:Unused?",
    "Statement": "Id:Max35Text StmtPgntn:Unused? ElctrncSeqNb:Unused? RptgSeq:Unused? LglSeqNb:Unused? "
    "CreDtTm:DateTime? FrToDt:Period? CpyDplctInd:Unused? RptgSrc:Unused? Acct:Account RltdAcct:Unused? "
    "Intrst:Unused* Bal:Balance+ TxsSummry:Totals? Ntry:Entry* AddtlStmtInf:Max500Text?",
    "Period": "FrDtTm:DateTime ToDtTm:DateTime",
    "Account": f"{_ACCOUNT} Ownr:Unused? Svcr:Unused?",
    "OtherAccount": _ACCOUNT,
    "AccountId": "= IBAN:Unused Othr:OtherId",
    "OtherId": "Id:Max34Text SchmeNm:Unused? Issr:Max35Text?",
    "Balance": "Tp:BalanceType CdtLine:Unused* Amt:Amount CdtDbtInd:CreditDebit Dt:When Avlbty:Unused*",
    "BalanceType": "CdOrPrtry:BalanceCode SubTp:Unused?",
    "BalanceCode": "= Cd:BalanceTypeCode Prtry:Max35Text",
    "When": "= Dt:Date DtTm:DateTime",
    "Totals": "TtlNtries:NumberAndSum? TtlCdtNtries:Unused? TtlDbtNtries:Unused? TtlNtriesPerBkTxCd:Unused*",
    "NumberAndSum": "NbOfNtries:Max15NumericText? Sum:Decimal? TtlNetNtry:AmountAndDirection?",
    "AmountAndDirection": "Amt:Decimal CdtDbtInd:CreditDebit",
    "Entry": "NtryRef:Max35Text? Amt:Amount CdtDbtInd:CreditDebit RvslInd:TrueFalse? Sts:Status "
    "BookgDt:When? ValDt:When? AcctSvcrRef:Max35Text? Avlbty:Unused* BkTxCd:BankTransactionCode "
    "ComssnWvrInd:Unused? AddtlInfInd:Unused? AmtDtls:Unused? Chrgs:Unused? TechInptChanl:Unused? "
    "Intrst:Unused? CardTx:Unused? NtryDtls:Details* AddtlNtryInf:Max500Text?",
    "Status": "= Cd:StatusCode Prtry:Max35Text",
    "BankTransactionCode": "Domn:Unused? Prtry:ProprietaryCode?",
    "ProprietaryCode": "Cd:Max35Text Issr:Max35Text?",
    "Details": "Btch:Unused? TxDtls:Transaction*",
    "Transaction": "Refs:References? Amt:Amount? CdtDbtInd:CreditDebit? AmtDtls:Unused? Avlbty:Unused* "
    "BkTxCd:BankTransactionCode? Chrgs:Unused? Intrst:Unused? RltdPties:Parties? RltdAgts:Unused? "
    "LclInstrm:Unused? Purp:Unused? RltdRmtInf:Unused* RmtInf:Remittance? RltdDts:Unused?",
    "References": "MsgId:Max35Text? AcctSvcrRef:Max35Text? PmtInfId:Max35Text? InstrId:Max35Text? "
    "EndToEndId:Max35Text? UETR:Unused? TxId:Max35Text? MndtId:Max35Text? ChqNb:Max35Text? "
    "ClrSysRef:Max35Text? AcctOwnrTxId:Max35Text? AcctSvcrTxId:Max35Text? MktInfrstrctrTxId:Max35Text? "
    "PrcgId:Max35Text? Prtry:ProprietaryReference*",
    "ProprietaryReference": "Tp:Max35Text Ref:Max35Text",
    "Parties": "InitgPty:Unused? Dbtr:Unused? DbtrAcct:OtherAccount? UltmtDbtr:Unused? Cdtr:Unused? "
    "CdtrAcct:OtherAccount? UltmtCdtr:Unused? TradgPty:Unused? Prtry:Unused*",
    "Remittance": "Ustrd:Max140Text* Strd:Unused*",
}
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SIMPLE = {
    "Date": _DATE,
    "DateTime": rf"{_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]+)?(Z|[+-][0-9]{{2}}:[0-9]{{2}})?",
    "Amount": r"(?=[0-9.]{1,19}\Z)[0-9]{1,18}(\.[0-9]{1,5})?",
    "Decimal": r"(?=[0-9.]{1,19}\Z)[0-9]{1,18}(\.[0-9]{1,17})?",
    "CreditDebit": "CRDT|DBIT",
    "TrueFalse": "true|false|1|0",
    "CurrencyCode": "[A-Z]{3}",
    "BalanceTypeCode": "OPBD|CLBD|PRCD|CLAV|OPAV|ITBD|ITAV|FWAV|XPCD|INFO",
    "StatusCode": "BOOK|PDNG|INFO|FUTR",
    "Max15NumericText": "[0-9]{1,15}",
    **{f"Max{length}Text": rf"[\s\S]{{1,{length}}}" for length in (34, 35, 70, 140, 500)},
}
_ELEMENT = re.compile(r"(\w+):(\w+)([?*+]?)")


class NotValid(AssertionError):
    """The document is no camt.053.001.08; the text says where."""


def read(document: str) -> ElementTree.Element:
    """The document's root, having checked the whole of it."""
    root = ElementTree.fromstring(document)
    if root.tag != f"{{{NAMESPACE}}}Document":
        raise NotValid(f"the document is a {root.tag}")
    _check(root, "Document", "Document")
    return root


def texts(root: ElementTree.Element, path: str) -> list[str]:
    """The texts at a path of local names below an element."""
    found = root.findall("/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))
    return [element.text or "" for element in found]


def _check(element: ElementTree.Element, type_name: str, path: str) -> None:
    if type_name in _COMPLEX:
        _check_children(element, _COMPLEX[type_name], path)
        return
    if type_name not in _SIMPLE:
        raise NotValid(f"{path} is of a type that this check does not know")
    if len(element) or re.fullmatch(_SIMPLE[type_name], element.text or "") is None:
        raise NotValid(f"{path} is no {type_name}: {element.text!r}")
    if (type_name == "Amount") != ("Ccy" in element.attrib) or len(element.attrib) > (type_name == "Amount"):
        raise NotValid(f"{path} has the attributes {sorted(element.attrib)}")


def _check_children(element: ElementTree.Element, described: str, path: str) -> None:
    if (element.text or "").strip() or element.attrib:
        raise NotValid(f"{path} has text or attributes of its own")
    expected = _ELEMENT.findall(described)
    children = [(child.tag.removeprefix(f"{{{NAMESPACE}}}"), child) for child in element]
    if described.startswith("="):
        if len(children) != 1 or children[0][0] not in {name for name, _, _ in expected}:
            raise NotValid(f"{path} is a choice of one, not of {[name for name, _ in children]}")
    else:
        _check_order(expected, [name for name, _ in children], path)
    types = {name: type_name for name, type_name, _ in expected}
    for name, child in children:
        _check(child, types[name], f"{path}/{name}")


def _check_order(expected: list[tuple[str, str, str]], names: list[str], path: str) -> None:
    left = _Runs(names)
    for name, _, often in expected:
        count = left.take(name)
        if (count == 0 and often in "+") or (count > 1 and often in "?"):
            raise NotValid(f"{path} has {count} of {name}")
    if left.rest:
        raise NotValid(f"{path} has {left.rest[0]} where it has no place")


class _Runs:
    def __init__(self, names: list[str]) -> None:
        self.rest = names

    def take(self, name: str) -> int:
        count = len(list(self._leading(name)))
        self.rest = self.rest[count:]
        return count

    def _leading(self, name: str) -> Iterator[str]:
        for one in self.rest:
            if one != name:
                return
            yield one
