"""A port is either free or its holder is named, with the way out."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from florin.backing import Postgres, RabbitMQ
from florin.errors import StackError
from florin.ports import HOST, Ports, require_free, reserved_base


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_taken_port_names_its_holder_and_the_way_out(taken_port: int) -> None:
    expected = rf"port {taken_port} \(postgres\) is taken by .*pid {os.getpid()}.*FLORIN_PORT_BASE="
    with pytest.raises(StackError, match=expected):
        require_free(taken_port, "postgres")


def test_postgres_does_not_start_on_a_taken_port(taken_port: int, tmp_path: Path) -> None:
    server = Postgres(folder=tmp_path / "postgres", run_dir=tmp_path, port=taken_port, password="x")
    with pytest.raises(StackError, match=f"port {taken_port}"):
        server.start()
    assert not server.running()
    assert not (tmp_path / "postgres").exists()


def test_rabbitmq_does_not_start_on_a_taken_port_and_leaves_no_epmd(taken_port: int, tmp_path: Path) -> None:
    ports = Ports(taken_port - 72)
    node = RabbitMQ(folder=tmp_path / "rabbitmq", run_dir=tmp_path, ports=ports, password="x", node="y")
    with pytest.raises(StackError, match=f"port {taken_port}"):
        node.start()
    assert not node.running()
    assert node.epmd.process() is None


def test_ports_of_one_stack_are_all_different() -> None:
    ports = Ports().all()
    assert len(set(ports)) == len(ports) == 18


def test_two_sessions_never_share_a_range() -> None:
    with reserved_base() as first, reserved_base() as second:
        assert not set(Ports(first).all()) & set(Ports(second).all())
