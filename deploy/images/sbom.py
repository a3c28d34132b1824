"""Prints the parts of this image as CycloneDX 1.6 JSON: Python distributions and Debian packages.

It runs inside the image and looks at what is installed, not at what was asked for. Needs no packages.
"""

import json
import platform
import sys
import uuid
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

DPKG_STATUS = Path("/var/lib/dpkg/status")
OS_RELEASE = Path("/etc/os-release")
Component = dict[str, Any]


def main(name: str, version: str) -> None:
    components = sorted([*_python(), *_debian()], key=lambda one: str(one["purl"]))
    subject = {"type": "container", "bom-ref": name, "name": name, "version": version}
    # The same image has the same number, so that two documents of it can be compared.
    text = json.dumps([subject, components], sort_keys=True)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}",
        "version": 1,
        "metadata": {"component": subject},
        "components": components,
        "dependencies": [{"ref": name, "dependsOn": [one["bom-ref"] for one in components]}],
    }
    print(json.dumps(document, indent=1, sort_keys=True))


def _python() -> Iterator[Component]:
    yield _component("cpython", platform.python_version(), f"pkg:generic/cpython@{platform.python_version()}")
    seen = set()
    for one in distributions():
        name = one.metadata["Name"].lower().replace("_", "-")
        if name not in seen:
            seen.add(name)
            yield _component(
                name, one.version, f"pkg:pypi/{name}@{quote(one.version)}", licence=_licence(one)
            )


def _debian() -> Iterator[Component]:
    if not DPKG_STATUS.exists():
        return
    release = dict(line.split("=", 1) for line in OS_RELEASE.read_text().splitlines() if "=" in line)
    distribution = f"{release['ID'].strip(chr(34))}-{release.get('VERSION_ID', '').strip(chr(34))}"
    for block in DPKG_STATUS.read_text().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            where = f"?arch={fields['Architecture']}&distro={distribution}"
            yield _component(name, version, f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}{where}")


def _component(name: str, version: str, purl: str, *, licence: str | None = None) -> Component:
    found = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {**found, "licenses": [{"license": {"name": licence}}]} if licence else found


def _licence(one: Distribution) -> str | None:
    told = one.metadata.get("License-Expression") or one.metadata.get("License") or ""
    return told.splitlines()[0][:100] if told.strip() else None


if __name__ == "__main__":
    main(*sys.argv[1:3])
