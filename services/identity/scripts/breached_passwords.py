"""Make the list of passwords that nobody may choose, from lists of what people choose and thieves try.

    python breached_passwords.py OUTPUT LIST...

Each LIST is text with a password a line, `.gz` or not. The one that ships was made from the lists of Django
5.2 (`common-passwords.txt.gz`, BSD) and zxcvbn 4.5 (`frequency_lists.py`, its passwords, MIT).
"""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

from identity_service.domain.password import MIN_LENGTH, folded
from identity_service.persistence.breached_passwords import mark


def passwords(file: Path) -> Iterator[str]:
    """The file's passwords that are not too short to be chosen anyway."""
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    for line in content.decode("utf-8", errors="replace").splitlines():
        password = folded(line.strip())
        if len(password) >= MIN_LENGTH:
            yield password


def main(output: Path, lists: list[Path]) -> None:
    """Write the marks, sorted, one after the other."""
    marks = sorted({mark(password) for file in lists for password in passwords(file)})
    output.write_bytes(b"".join(marks))
    print(f"{len(marks)} passwords, {output.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
