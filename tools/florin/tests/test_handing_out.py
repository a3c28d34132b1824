"""Secrets as files: each service has its own and nobody else's, and what is there already stays."""

import re
import stat
from pathlib import Path

import pytest
from florin.backing.choosing import with_password
from florin.credentials import load_or_make
from florin.environment import Surroundings
from florin.handing_out import hand_out
from florin.ports import Ports
from florin.services import PROCESSES


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    # The caller's own variables are nobody's secrets.
    monkeypatch.setenv("FLORIN_BROKER_URL", "amqp://florin:administrator@rabbitmq:5672/")
    run_dir = tmp_path / "operator"
    return Surroundings(
        run_dir=run_dir,
        ports=Ports(),
        credentials=load_or_make(run_dir),
        database_admin_url="postgresql://postgres:superuser@postgres:5432/postgres",
        broker_url="amqp://florin:administrator@rabbitmq:5672/",
        broker_management_url="http://florin:administrator@rabbitmq:15672",
        redis_url="redis://:cache@valkey:6379/0",
        api_address="http://{service}:8080",
        pooler="pooler:6432",
    )


def test_each_service_gets_its_own_secrets_and_no_others(surroundings: Surroundings, tmp_path: Path) -> None:
    hand_out(surroundings, tmp_path)
    names = {service: {path.name for path in (tmp_path / service).iterdir()} for service in PROCESSES}
    assert {one for one in PROCESSES if "florin_service_api_key" in names[one]} == {"transaction"}
    assert {one for one in PROCESSES if "florin_broker_url" in names[one]} == set(PROCESSES) - {"identity"}
    assert {one for one in PROCESSES if "key-encryption-keys.json" in names[one]} == {"account", "identity"}
    for service in PROCESSES:
        texts = "".join(path.read_text() for path in (tmp_path / service).iterdir())
        assert "superuser" not in texts
        assert "administrator" not in texts
        for other in set(PROCESSES) - {service}:
            assert surroundings.credentials.roles[f"{other}_app"] not in texts
        owner = surroundings.credentials.roles[f"{service}_owner"]
        assert owner not in texts
        assert owner in (tmp_path / f"{service}-owner" / "florin_migration_database_url").read_text()


def test_what_scales_workers_gets_an_address_that_can_only_look(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    hand_out(surroundings, tmp_path)
    address = (tmp_path / "watcher" / "host").read_text()
    password = surroundings.credentials.broker_password_of("watcher")
    assert address == f"http://florin.watcher:{password}@rabbitmq:15672/%2F"


def test_alertmanager_has_an_address_for_each_of_its_receivers(
    surroundings: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLORIN_HEARTBEAT_URL", "https://calls.example/florin")
    hand_out(surroundings, tmp_path)
    receivers = {path.name: path.read_text() for path in (tmp_path / "alertmanager").iterdir()}
    told = (Path(__file__).parents[3] / "deploy/alertmanager/alertmanager.yml").read_text()
    assert set(re.findall(r"url_file: /run/secrets/(\w+)", told)) == set(receivers)
    assert receivers["alertmanager_heartbeat_url"] == "https://calls.example/florin"


def test_services_go_through_the_pooler_and_migrations_never(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    hand_out(surroundings, tmp_path)
    assert "@pooler:6432/florin" in (tmp_path / "account" / "florin_database_url").read_text()
    migrating = (tmp_path / "account-owner" / "florin_migration_database_url").read_text()
    assert "@postgres:5432/florin" in migrating


def test_handed_out_again_nothing_changes_and_what_is_no_secret_any_more_goes(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    hand_out(surroundings, tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    before = {path: (path.stat().st_ino, path.read_text()) for path in files}
    (tmp_path / "fraud").chmod(0o700)
    (tmp_path / "fraud" / "florin_old_key").write_text("old")
    hand_out(surroundings, tmp_path)
    assert {path: (path.stat().st_ino, path.read_text()) for path in files} == before
    assert not (tmp_path / "fraud" / "florin_old_key").exists()


def test_nobody_but_their_owner_can_read_them(surroundings: Surroundings, tmp_path: Path) -> None:
    hand_out(surroundings, tmp_path)
    for path in (tmp_path / "account").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o400


@pytest.mark.parametrize(
    ("url", "completed"),
    [
        ("amqp://florin@rabbitmq:5672/", "amqp://florin:a%2Fb@rabbitmq:5672/"),
        ("redis://@valkey:6379/0", "redis://:a%2Fb@valkey:6379/0"),
        ("amqp://florin:own@rabbitmq/", "amqp://florin:own@rabbitmq/"),
        ("redis://valkey:6379/0", "redis://valkey:6379/0"),
    ],
)
def test_an_address_is_completed_only_where_it_names_a_user_without_a_password(
    url: str, completed: str
) -> None:
    assert with_password(url, "a/b") == completed
