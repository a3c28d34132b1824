"""Paying people by what they are called: registered ones only, found by a keyed hash."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from contracts.handles import canonical_email, canonical_mobile, handle
from contracts.messages import CustomerAccountOpened, CustomerRegistered

from .conftest import HANDLE_KEY, Service

ANA, ANA_SPELLED, ANA_MAIL = "+420601123456", "+420 601 123-456", "Ana.Nova@Example.com"


def mobile(number: str, client: str = "alpha") -> str:
    """The handle of a mobile number."""
    return handle("mobile", client, canonical_mobile(number), HANDLE_KEY)


def email(address: str, client: str = "alpha") -> str:
    """The handle of an e-mail address."""
    return handle("email", client, canonical_email(address), HANDLE_KEY)


async def register(
    service: Service, *handles: str, customer: UUID | None = None, version: int = 1, client: str = "alpha"
) -> UUID:
    """The account service tells of a customer."""
    id_ = customer or uuid4()
    await service.hear(
        CustomerRegistered(customer_id=id_, client_id=client, handles=list(handles), version=version)
    )
    return id_


async def open_account(
    service: Service, customer: UUID, account: str, *, currency: str = "EUR", client: str = "alpha"
) -> None:
    """The account service tells of a customer's account."""
    await service.hear(
        CustomerAccountOpened(customer_id=customer, client_id=client, account=account, currency=currency)
    )


@pytest.fixture
async def ana(service: Service) -> UUID:
    """A customer whom no other test knows to be anybody."""
    await service.hear()
    for row in await service.rows("SELECT DISTINCT customer_id FROM party_handles"):
        await register(service, customer=row.customer_id, version=1000)
    customer = await register(service, mobile(ANA), email(ANA_MAIL))
    await open_account(service, customer, f"w:{customer.hex[:12]}:EUR")
    return customer


@pytest.mark.parametrize(
    "name",
    [
        lambda _: {"mobile": ANA},
        lambda _: {"mobile": ANA_SPELLED},
        lambda _: {"email": ANA_MAIL},
        lambda _: {"email": "ana.nova@example.COM"},
        lambda customer: {"customer_id": str(customer)},
        lambda customer: {"account": f"w:{customer.hex[:12]}:EUR"},
    ],
)
async def test_a_party_is_found_by_each_of_its_names(service: Service, ana: UUID, name: Any) -> None:
    """Only the account is kept and told, and it may pay as well as be paid."""
    account = f"w:{ana.hex[:12]}:EUR"
    payment_id = await service.accepted(creditor=name(ana))
    assert (await service.get(payment_id))["creditor"] == account
    (told,) = await service.sent(payment_id, "florin.payment.initiated.v1")
    assert told["creditor"] == account
    assert (await service.get(await service.accepted(debtor=name(ana))))["debtor"] == account


async def test_unknown_foreign_and_unregistered_are_told_alike(service: Service, ana: UUID) -> None:
    """The same answer, to the byte: it tells nobody who is registered where."""
    foreign = await register(service, mobile("+420601999999", "beta"), client="beta")
    await open_account(service, foreign, "w:foreign:EUR", client="beta")
    homeless = await register(service, mobile("+420601888888"))
    names: list[dict[str, str]] = [
        {"mobile": "+420601777777"},
        {"mobile": "+420601999999"},
        {"mobile": "+420601888888"},
        {"email": "nobody@example.com"},
        {"customer_id": str(uuid4())},
        {"customer_id": str(foreign)},
        {"customer_id": str(homeless)},
    ]
    answers = [await service.pay(creditor=name) for name in names]
    answers.append(await service.pay(creditor={"mobile": ANA}, currency="USD"))
    assert {answer.status_code for answer in answers} == {422}
    problems = [answer.json() | {"trace_id": None} for answer in answers]
    assert all(problem == problems[0] for problem in problems)
    fault = problems[0]["errors"][0]
    assert (problems[0]["code"], fault["field"], fault["code"]) == (
        "party_not_found",
        "creditor",
        "party_not_found",
    )
    both = await service.pay(debtor={"mobile": "+420601777777"}, creditor={"mobile": ANA})
    assert both.json()["errors"][0]["field"] == "debtor"


async def test_a_retry_is_compared_with_what_was_asked(service: Service, ana: UUID) -> None:
    """However it is spelled; also when the number is somebody else's by now, or nobody's."""
    key = uuid4().hex
    first = await service.pay(key=key, creditor={"mobile": ANA})
    account = first.json()["creditor"]
    bob = await register(service, email("bob@example.com"))
    await open_account(service, bob, f"w:{bob.hex[:12]}:EUR")
    for owner in (ana, bob, None):
        if owner is bob:
            await register(service, customer=ana, version=2)
            await register(service, email("bob@example.com"), mobile(ANA), customer=bob, version=2)
        if owner is None:
            await register(service, customer=bob, version=3)
        again = await service.pay(key=key, creditor={"mobile": ANA_SPELLED})
        assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (202, "true")
        assert again.json() == first.json()
    others: list[Any] = [account, {"customer_id": str(ana)}, {"email": ANA_MAIL}, {"mobile": "+420601777777"}]
    for other in others:
        changed = await service.pay(key=key, creditor=other)
        assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_key_reused")
        assert changed.json()["errors"][0]["field"] == "creditor"


async def test_older_word_never_overwrites_newer(service: Service, ana: UUID) -> None:
    """Whatever the order, and in one batch too."""
    new = mobile("+420602222222")
    told = [
        CustomerRegistered(customer_id=ana, client_id="alpha", handles=handles, version=version)
        for version, handles in ((3, [new]), (2, [mobile("+420603333333")]))
    ]
    await service.hear(*told)
    assert (await service.pay(creditor={"mobile": "+420602222222"})).status_code == 202
    for gone in ("+420603333333", ANA):
        assert (await service.pay(creditor={"mobile": gone})).json()["code"] == "party_not_found"


async def test_a_handle_on_its_way_between_two_customers_is_nobodys(service: Service, ana: UUID) -> None:
    """Money must not go to whoever happens to be found first."""
    bob = await register(service, mobile(ANA))
    await open_account(service, bob, f"w:{bob.hex[:12]}:EUR")
    assert (await service.pay(creditor={"mobile": ANA})).json()["code"] == "party_not_found"
    await register(service, customer=ana, version=2)
    assert (await service.pay(creditor={"mobile": ANA})).json()["creditor"] == f"w:{bob.hex[:12]}:EUR"


async def test_both_names_of_one_party_are_one_account(service: Service, ana: UUID) -> None:
    """Nobody pays oneself by another name."""
    answer = await service.pay(debtor={"mobile": ANA}, creditor={"email": ANA_MAIL})
    assert answer.json()["errors"][0]["code"] == "same_account"


async def test_items_of_a_batch_name_parties_too(service: Service, ana: UUID) -> None:
    """Each with its own outcome; the whole is replayed when the number has moved."""
    body = {"debtor": "A", "amount_minor": 5, "currency": "EUR"}
    items = [
        body | {"creditor": {"mobile": ANA}, "reference": "1"},
        body | {"creditor": {"mobile": "+420601777777"}, "reference": "2"},
        body | {"creditor": {"mobile": "0"}, "reference": "3"},
        body | {"creditor": "B", "reference": "4"},
    ]
    headers = {"Idempotency-Key": uuid4().hex}
    outcomes = []
    for _ in range(2):
        answer = await service.api.post("/v1/payments/batches", json={"payments": items}, headers=headers)
        outcomes.append(answer.json()["items"])
        await register(service, customer=ana, version=2)
    assert [one["outcome"] for one in outcomes[0]] == ["accepted", "refused", "refused", "accepted"]
    assert [one["problem"]["code"] for one in outcomes[0][1:3]] == ["party_not_found", "invalid_mobile"]
    assert [one["outcome"] for one in outcomes[1]] == ["replayed", "refused", "refused", "replayed"]
    assert [one["payment_id"] for one in outcomes[0]] == [one["payment_id"] for one in outcomes[1]]


async def test_a_payment_tells_nothing_of_how_its_party_was_named(service: Service, ana: UUID) -> None:
    """No two records have anything in common but the account, nor any of what they were looked up by."""
    found = [await service.get(await service.accepted(creditor={"mobile": ANA})) for _ in range(2)]
    named = [one["terms"]["named"]["creditor"] for one in found]
    assert named[0] != named[1]
    assert mobile(ANA) not in named


async def test_nothing_by_which_a_person_is_known_is_kept(service: Service, ana: UUID) -> None:
    """No table of the service has the number or the address in any form that can be read or guessed."""
    await service.accepted(creditor={"mobile": ANA}, debtor="A")
    await service.accepted(creditor={"email": ANA_MAIL}, debtor="A")
    tables = await service.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'transaction'"
    )
    for table in tables:
        for row in await service.rows(f"SELECT t::text AS line FROM {table.table_name} t"):
            assert ANA[1:] not in row.line
            assert "nova" not in row.line.lower()
