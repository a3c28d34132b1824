"""Where audit chains end, as text that is kept elsewhere: `service:position:hash`."""

import re
from collections.abc import Iterable, Mapping

from service_kit.audit.chain import Head

from florin.errors import StackError
from florin.services import PROCESSES

_HEAD = re.compile(r"(?P<service>[a-z]+):(?P<position>[0-9]{1,18}):(?P<hash>[0-9a-f]{64})")


def write_head(service: str, head: Head) -> str:
    """The text of a head."""
    return f"{service}:{head.position}:{head.hash.hex()}"


def read_heads(texts: Iterable[str]) -> Mapping[str, Head]:
    """The heads by service; raises StackError for what is none."""
    heads = {}
    for text in texts:
        match = _HEAD.fullmatch(text)
        if match is None or match["service"] not in PROCESSES:
            raise StackError(f"not an audit head: {text!r}; `florin audit --head` tells how one reads")
        if match["service"] in heads:
            raise StackError(f"two audit heads of {match['service']}: give the later one")
        heads[match["service"]] = Head(int(match["position"]), bytes.fromhex(match["hash"]))
    return heads
