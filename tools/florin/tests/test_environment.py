"""What a service is told of its surroundings."""

from pathlib import Path

from florin.credentials import Credentials
from florin.environment import Detour, Surroundings
from florin.ports import Ports


def test_a_detour_leads_one_service_to_its_servers_by_other_ports(tmp_path: Path) -> None:
    plain = Surroundings(
        run_dir=tmp_path,
        ports=Ports(),
        credentials=Credentials.make(),
        database_admin_url="postgresql://postgres:secret@127.0.0.1:24032/postgres",
        broker_url="amqp://florin:secret@127.0.0.1:24072/",
        detours={"account": Detour(postgres=1111, amqp=2222)},
    )
    account, fraud = plain.environment_of("account"), plain.environment_of("fraud")
    password = plain.credentials.roles["account_app"]
    assert account["FLORIN_DATABASE_URL"] == f"postgresql://account_app:{password}@127.0.0.1:1111/florin"
    assert account["FLORIN_BROKER_URL"] == "amqp://florin:secret@127.0.0.1:2222/"
    # Migrations are not what is tested: they go straight.
    assert ":24032/" in account["FLORIN_MIGRATION_DATABASE_URL"]
    assert ":24032/" in fraud["FLORIN_DATABASE_URL"]
    assert fraud["FLORIN_BROKER_URL"] == plain.broker_url
