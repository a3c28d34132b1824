"""Which of the forms on offer a client would have, by its Accept header (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Iterable, Sequence

from fastapi import Request
from service_kit.problems import Problem

_RANGE = re.compile(r"\s*([^\s;,/]+/[^\s;,/]+)\s*((?:;[^,]*)?)\Z")
_QUALITY = re.compile(r";\s*[qQ]\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*(?=;|\Z)")


def chosen_form(request: Request, offered: Sequence[str]) -> str:
    """The media type that the client likes best; of those it likes alike, the one that is offered first.

    Raises a 406 problem when it would have none of them.
    """
    ranges = list(_ranges(",".join(request.headers.getlist("accept"))))
    if not ranges:
        return offered[0]
    likings = [(_liking(form, ranges), -place, form) for place, form in enumerate(offered)]
    best = max(likings)
    if best[0] == 0:
        raise Problem(
            406, "not_acceptable", "Not acceptable", f"This can be had as: {', '.join(offered)}. See Accept."
        )
    return best[2]


def _ranges(header: str) -> Iterable[tuple[str, float]]:
    for part in header.split(","):
        match = _RANGE.match(part)
        if match is not None:
            quality = _QUALITY.search(match[2])
            yield match[1].lower(), float(quality[1]) if quality is not None else 1.0


def _liking(form: str, ranges: Sequence[tuple[str, float]]) -> float:
    # The most specific range that covers the form decides, whatever the others say.
    for covering in (form, f"{form.partition('/')[0]}/*", "*/*"):
        qualities = [quality for name, quality in ranges if name == covering]
        if qualities:
            return max(qualities)
    return 0.0
