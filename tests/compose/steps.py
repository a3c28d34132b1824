"""What `make compose-test` does and looks at, in its order; each raises Failed for what does not hold."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from tests.compose import engine
from tests.compose.project import Failed, Figures, Project, must
from tests.compose.waiting import until

PAYMENTS = 8_000
# One small request after another: the load must outlast the time that an engine takes to kill.
CHUNK = 8
UP_TIMEOUT_S = 600
# On the public base of some 125 MB an image then stays under 250 MB.
OWN_LAYERS_MB = 120
WORKERS = 3
CONSUMERS_WITHIN_S = 120.0
LOAD_BEGINS_WITHIN_S = 300.0
LOAD_ENDS_WITHIN_S = 900.0
SERVICES = ("transaction", "account", "fraud", "notification", "identity")


def build(project: Project, figures: Figures) -> None:
    """The images of this checkout."""
    project.compose("--profile", "tools", "build", "-q", timeout_s=1_800)
    base = _megabytes(project, engine.IMAGES["PYTHON_IMAGE"])
    for name in (*SERVICES, "tools"):
        own = _megabytes(project, f"florin/{name}:{project.version}") - base
        figures[f"florin/{name}, above its base"] = f"{own:.0f} MB"
        must(own <= OWN_LAYERS_MB, f"florin/{name} adds {own:.0f} MB to its base, not {OWN_LAYERS_MB}")


def contents(project: Project, figures: Figures) -> None:
    """What is inside each image is what the lock says, and the image says what it is."""
    pinned = set(
        re.findall(r"^([a-z0-9._-]+)==([^ ]+)", (engine.ROOT / "requirements.lock").read_text(), re.M)
    )
    for name in (*SERVICES, "tools"):
        image = f"florin/{name}:{project.version}"
        inside = (
            "--rm",
            "--network",
            "none",
            "--read-only",
            "--entrypoint",
            "python3",
            image,
            "/opt/sbom.py",
        )
        bill = json.loads(project.docker("run", *inside, f"florin/{name}", project.version))
        python = {(one["name"], one["version"]) for one in bill["components"] if "pkg:pypi/" in one["purl"]}
        others = {one for one in python if not one[0].startswith("florin")}
        must(
            bool(others) and others <= pinned, f"{image} holds what is not locked: {sorted(others - pinned)}"
        )
        told = project.inspect(image)["Config"]
        labels = {key.rsplit(".", 1)[1]: value for key, value in told["Labels"].items()}
        must(labels["title"] == f"florin/{name}", f"{image} is called {labels['title']}")
        must(labels["version"] == project.version, f"{image} says it is {labels['version']}")
        figures[f"parts of florin/{name}"] = str(len(bill["components"]))


def up(project: Project, figures: Figures) -> None:
    """Everything, from empty volumes to healthy."""
    project.down()
    project.compose("up", "-d", "--wait", "--wait-timeout", str(UP_TIMEOUT_S), timeout_s=UP_TIMEOUT_S + 60)


def hardened(project: Project, figures: Figures) -> None:
    """Each process of ours runs without rights on a file system that it cannot write to."""
    for service in [name for name in project.compose("config", "--services").split() if _is_ours(name)]:
        for container in project.containers(service):
            told = project.inspect(container)
            host: dict[str, Any] = told["HostConfig"]
            must(told["Config"]["User"] == "10001:10001", f"{service} runs as {told['Config']['User']!r}")
            must(host["ReadonlyRootfs"], f"{service} can write to its root")
            must(host["CapDrop"] == ["ALL"] and not host["CapAdd"], f"{service} has capabilities")
            must("no-new-privileges:true" in host["SecurityOpt"], f"{service} may gain privileges")
            must(host["Memory"] > 0 and host["NanoCpus"] > 0, f"{service} has no limits")
            mounts = {mount["Name"].split("_", 1)[1] for mount in told["Mounts"] if mount["Type"] == "volume"}
            own = service.removesuffix("-api").removesuffix("-worker")
            must(mounts == {f"{own}-secrets"}, f"{service} sees {sorted(mounts)}")
    tools = project.compose(
        "exec", "-T", "account-api", "sh", "-c", "command -v pip uv gcc cc make curl || true"
    )
    must(not tools.strip(), f"build tools are inside: {tools.split()}")


def demo(project: Project, figures: Figures) -> None:
    """The payment sample; it checks the books at its end."""
    said = project.florin("demo", timeout_s=900)
    for line in said.splitlines():
        cells = [cell.strip() for cell in line.strip("│ ").split("│")]
        if len(cells) == 2 and cells[0] in ("accepted", "settled", "in bulk: finished a second"):
            figures[f"demo: {cells[0]}"] = cells[1]
    must("all invariants hold" in said, f"the demo's end:\n{said[-1_500:]}")


def kill_under_load(project: Project, figures: Figures) -> None:
    """The ledger's worker is killed while payments come in, and started again: each is settled, once."""
    with tempfile.TemporaryDirectory() as folder:
        mount = Path(folder)
        project.open_accounts(mount, {"ct-a": "100000.00", "ct-b": "0.00"})
        payments = mount / "payments.csv"
        lines = [f"ct-{number},ct-a,ct-b,1.00,EUR," for number in range(PAYMENTS)]
        payments.write_text(
            "\n".join(["reference,debtor,creditor,amount,currency,description", *lines]) + "\n"
        )
        (worker,) = project.containers("account-worker")
        slowly = ("--chunk", str(CHUNK), "--in-flight", "1")
        load = project.start_florin(
            "import",
            "payments",
            "/given/payments.csv",
            "--rejects",
            "/tmp/rejects.csv",
            *slowly,
            "--json",
            mount=mount,
        )
        try:
            until(
                lambda: _entries(project) > 0 or load.poll() is not None,
                within_s=LOAD_BEGINS_WITHIN_S,
                what="the first payment of the load",
            )
            if load.poll() is not None:
                raise Failed(f"the load ended before its time: {load.communicate()[0]}")
            project.docker("kill", "-s", "SIGKILL", worker)
            must(_entries(project) < PAYMENTS, "the load was over before the kill: nothing is shown")
            project.docker("start", worker)
            said, _ = load.communicate(timeout=LOAD_ENDS_WITHIN_S)
        finally:
            load.kill()
    summary = json.loads(said[said.index("{") : said.rindex("}") + 1])
    figures["killed under load: settled"] = f"{summary['settled']:,} of {PAYMENTS:,}"
    must(summary["settled"] == PAYMENTS and load.returncode == 0, f"not all were settled: {summary}")
    must(_entries(project) == PAYMENTS, "money moved more or less than once a payment")


def scale(project: Project, figures: Figures) -> None:
    """Three workers of the ledger share its queue."""
    project.compose("up", "-d", "--no-recreate", "--scale", f"account-worker={WORKERS}", timeout_s=300)
    until(lambda: _consumers(project) == WORKERS, within_s=CONSUMERS_WITHIN_S, what=f"{WORKERS} consumers")
    figures["consumers of florin.account"] = str(_consumers(project))


def verify(project: Project, figures: Figures) -> None:
    """What must always hold, by `florin verify`."""
    report = json.loads(project.florin("verify", "--json"))
    figures["florin verify"] = (
        f"{len(report['invariants'])} invariants: {'hold' if report['ok'] else 'BROKEN'}"
    )
    must(report["ok"], json.dumps(report)[:1_500])


def _entries(project: Project) -> int:
    """How many entries bob has, by the ledger's own table."""
    query = (
        "SELECT count(*) FROM account.entries e JOIN account.accounts a ON a.id = e.account_id "
        "WHERE a.reference = 'ct-b'"
    )
    command = ("psql", "-U", "postgres", "-d", "florin", "-Atc", query)
    return int(project.docker("exec", f"{project.name}-postgres-1", *command))


def _consumers(project: Project) -> int:
    command = (
        "exec",
        "-T",
        "rabbitmq",
        "rabbitmqctl",
        "-q",
        "list_queues",
        "name",
        "consumers",
        "--formatter",
        "json",
    )
    queues = json.loads(project.compose(*command))
    return int(next(one["consumers"] for one in queues if one["name"] == "florin.account"))


def _megabytes(project: Project, image: str) -> float:
    return int(project.docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e6


def _is_ours(service: str) -> bool:
    return service.removesuffix("-api").removesuffix("-worker") in SERVICES
