"""Prometheus' rules as the Prometheus operator takes them: a resource for each file, its text as it stands.

Prometheus reads a file of groups and nothing else, the operator a resource with the groups inside: what one
takes the other refuses, and kustomize cannot put the first into the second.
"""

from collections.abc import Iterable
from pathlib import Path

_DEPLOY = Path(__file__).resolve().parents[4] / "deploy"
RULES = _DEPLOY / "prometheus" / "rules"
WRITTEN = _DEPLOY / "k8s" / "base" / "alerts.yaml"
_GROUPS = "groups:\n"
_HEADER = "# Written by `florin cluster-rules` from deploy/prometheus/rules: change it there.\n"
_RESOURCE = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {{name: {name}}}
spec:
  groups:
"""


def document(files: Iterable[Path] | None = None) -> str:
    """The resources of these rule files, by default of all that are deployed, in the order of their names.

    Raises ValueError for a file whose only key is not `groups`, at the beginning of a line.
    """
    chosen = sorted(RULES.glob("*.yml")) if files is None else files
    return _HEADER + "---\n".join(_resource(file) for file in chosen)


def _resource(file: Path) -> str:
    _, found, groups = file.read_text().partition(f"\n{_GROUPS}")
    if not found:
        raise ValueError(f"{file.name}: no line `groups:`")
    if any(line[0] not in " #\n" for line in groups.splitlines(keepends=True)):
        raise ValueError(f"{file.name}: something follows the groups")
    indented = "".join(f"  {line}" if line.strip() else line for line in groups.splitlines(keepends=True))
    return _RESOURCE.format(name=f"florin-{file.stem}") + indented
