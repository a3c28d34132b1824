"""What a service is told of its surroundings."""

from collections.abc import Mapping
from pathlib import Path

from florin.credentials import Credentials
from florin.environment import Detour, Surroundings
from florin.ports import Ports
from florin.services import PROCESSES, SERVICES


def surroundings(run_dir: Path, *, detours: Mapping[str, Detour] | None = None) -> Surroundings:
    return Surroundings(
        run_dir=run_dir,
        ports=Ports(),
        credentials=Credentials.make(),
        database_admin_url="postgresql://postgres:secret@127.0.0.1:24032/postgres",
        broker_url="amqp://florin:secret@127.0.0.1:24072/",
        detours=detours or {},
    )


def test_a_detour_leads_one_service_to_its_servers_by_other_ports(tmp_path: Path) -> None:
    plain = surroundings(tmp_path, detours={"account": Detour(postgres=1111, amqp=2222)})
    account, fraud = plain.environment_of("account"), plain.environment_of("fraud")
    password = plain.credentials.roles["account_app"]
    assert account["FLORIN_DATABASE_URL"] == f"postgresql://account_app:{password}@127.0.0.1:1111/florin"
    assert account["FLORIN_BROKER_URL"] == "amqp://florin:secret@127.0.0.1:2222/"
    # Migrations are not what is tested: they go straight.
    assert ":24032/" in account["FLORIN_MIGRATION_DATABASE_URL"]
    assert ":24032/" in fraud["FLORIN_DATABASE_URL"]
    assert fraud["FLORIN_BROKER_URL"] == plain.broker_url


def test_the_transaction_service_alone_is_told_whom_to_ask_and_with_which_key(tmp_path: Path) -> None:
    plain = surroundings(tmp_path)
    transaction = plain.environment_of("transaction")
    assert transaction["FLORIN_ACCOUNT_URL"] == f"http://127.0.0.1:{plain.ports.api('account')}"
    assert transaction["FLORIN_FRAUD_URL"] == f"http://127.0.0.1:{plain.ports.api('fraud')}"
    assert transaction["FLORIN_SERVICE_API_KEY"] == plain.credentials.api_keys["florin-transaction"]
    for other in set(SERVICES) - {"transaction"}:
        assert "FLORIN_SERVICE_API_KEY" not in plain.environment_of(other)


def test_only_who_knows_handles_has_their_key_and_only_who_keeps_persons_can_read_them(
    tmp_path: Path,
) -> None:
    plain = surroundings(tmp_path)
    told = {service: plain.environment_of(service) for service in PROCESSES}
    knowing = {one for one in PROCESSES if "FLORIN_BLIND_INDEX_KEY" in told[one]}
    assert knowing == {"transaction", "account", "identity"}
    assert told["transaction"]["FLORIN_DEFAULT_REGION"] == told["account"]["FLORIN_DEFAULT_REGION"]
    assert told["transaction"]["FLORIN_BLIND_INDEX_KEY"] == told["account"]["FLORIN_BLIND_INDEX_KEY"]
    kept_under = {one: told[one].get("FLORIN_KEY_ENCRYPTION_KEYS_FILE") for one in PROCESSES}
    assert {one for one, file in kept_under.items() if file} == {"account", "identity"}
    assert kept_under["account"] != kept_under["identity"]


def test_only_those_on_the_bus_know_the_broker(tmp_path: Path) -> None:
    plain = surroundings(tmp_path)
    knows = {one for one in PROCESSES if "FLORIN_BROKER_URL" in plain.environment_of(one)}
    assert knows == set(SERVICES)
