"""A private RabbitMQ node from the installed programs: own cookie, node name, ports, epmd and data."""

import os
import shutil
import socket
from pathlib import Path

from florin.backing import rabbitmq_programs
from florin.errors import StackError
from florin.ports import HOST, Ports, require_free
from florin.processes import Daemon

USER = "florin"
START_TIMEOUT_S = 120.0
PLUGINS = ("rabbitmq_management", "rabbitmq_prometheus")
# An idle node otherwise spins: on two cores that is the services' time.
ERLANG_ARGUMENTS = "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
CONFIGURATION = """\
listeners.tcp.local = {host}:{amqp}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
default_permissions.configure = .*
default_permissions.read = .*
default_permissions.write = .*
management.tcp.ip = {host}
management.tcp.port = {management}
prometheus.tcp.ip = {host}
prometheus.tcp.port = {prometheus}
disk_free_limit.absolute = 200MB
log.file = false
log.console = true
log.console.level = info
"""
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"


class RabbitMQ:
    """One node with everything it owns under `folder`; kept between runs until `wipe`."""

    name = "rabbitmq"

    def __init__(self, *, folder: Path, run_dir: Path, ports: Ports, password: str, node: str) -> None:
        self._folder = folder
        self._ports = ports
        self._password = password
        self._node = f"florin-{node}@localhost"
        pids, logs = run_dir / "pids", run_dir / "logs"
        self.daemon = Daemon(self.name, pid_file=pids / "rabbitmq.pid", log_file=logs / "rabbitmq.log")
        self.epmd = Daemon("epmd", pid_file=pids / "epmd.pid", log_file=logs / "epmd.log")

    @property
    def port(self) -> int:
        return self._ports.amqp

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{self._password}@{HOST}:{self.port}/"

    @property
    def management_url(self) -> str:
        """The management plugin's HTTP address, credentials included."""
        return f"http://{USER}:{self._password}@{HOST}:{self._ports.amqp_management}"

    @property
    def pid(self) -> int | None:
        return self.daemon.pid

    def running(self) -> bool:
        return self.daemon.process() is not None

    def ready(self) -> bool:
        """Whether our node is up and answers."""
        return self.running() and self.answers()

    def answers(self) -> bool:
        """Whether an AMQP greeting is answered on our port now."""
        return _greets(self.port)

    def start(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Starts epmd and the node; returns when AMQP is answered."""
        if self.running():
            return
        programs = rabbitmq_programs.find()
        ports = self._ports
        require_free(ports.amqp, self.name)
        require_free(ports.amqp_distribution, "rabbitmq, between nodes")
        require_free(ports.amqp_management, "rabbitmq, management")
        require_free(ports.amqp_prometheus, "rabbitmq, metrics")
        self._configure()
        environment = self.environment()
        try:
            self._start_epmd(programs.epmd, environment)
            self.daemon.start([programs.server], env=environment, cwd=self._folder)
            self.daemon.wait_until(lambda: _greets(self.port), timeout_s=timeout_s)
        except StackError:
            self.kill()
            self.epmd.kill()
            raise

    def stop(self) -> None:
        """An orderly shutdown of the node, then of its epmd."""
        self.daemon.stop(timeout_s=60.0)
        self.epmd.stop(timeout_s=5.0)

    def kill(self) -> None:
        """SIGKILL to the node; its epmd goes on, as after a real crash."""
        self.daemon.kill()

    def wipe(self) -> None:
        """Removes all data of a stopped node."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start_epmd(self, epmd: Path, environment: dict[str, str]) -> None:
        if self.epmd.process() is not None:
            return
        require_free(self._ports.epmd, "epmd")
        self.epmd.start([epmd, "-address", HOST, "-port", str(self._ports.epmd)], env=environment)
        self.epmd.wait_until(lambda: not _refuses(self._ports.epmd), timeout_s=10)

    def _configure(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "conf.d").mkdir(exist_ok=True)
        (self._folder / "environment.conf").write_text(
            "# Left empty: the machine's own settings must not apply.\n"
        )
        (self._folder / "enabled_plugins").write_text(f"[{','.join(PLUGINS)}].\n")
        configuration = CONFIGURATION.format(
            host=HOST,
            user=USER,
            password=self._password,
            amqp=self._ports.amqp,
            management=self._ports.amqp_management,
            prometheus=self._ports.amqp_prometheus,
        )
        target = self._folder / "rabbitmq.conf"
        target.touch(mode=0o600)
        target.chmod(0o600)
        target.write_text(configuration)

    def environment(self) -> dict[str, str]:
        """What the node's programs are told, its own and those that look after it (rabbitmqctl)."""
        folder = self._folder
        return {
            "PATH": rabbitmq_programs.search_path(),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._ports.epmd),
            "ERL_EPMD_ADDRESS": HOST,
            # Lets the start script become the node instead of waiting beside it: our pid is the node's.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self._ports.amqp),
            "RABBITMQ_DIST_PORT": str(self._ports.amqp_distribution),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(folder / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "node.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_ARGUMENTS,
        }


def _refuses(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) != 0


def _greets(port: int) -> bool:
    """Whether Connection.Start answers the protocol header (AMQP 0-9-1, section 4.2.2)."""
    try:
        with socket.create_connection((HOST, port), timeout=2.0) as probe:
            probe.sendall(PROTOCOL_HEADER)
            return probe.recv(1) == METHOD_FRAME
    except OSError:
        return False
