"""The page at /docs: the API's operations at a glance, made from its own document.

Not Swagger UI: that loads its scripts from somewhere else, which fails offline and would need a hole in the
content security policy.
"""

from html import escape
from typing import Any

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
h1{margin-bottom:0}
code{font-family:ui-monospace,monospace;background:#f1f4f8;padding:.1em .3em;border-radius:4px}
section{border-top:1px solid #d9e0e8;padding:1rem 0}.method{font-weight:700;display:inline-block;min-
width:4.5rem} ul{margin:.3rem 0}
p{white-space:pre-line;margin:.4rem 0}.answers{color:#51606f;font-
size:.9rem}
@media(prefers-color-scheme:dark){body{background:#12161c;color:#dfe6ee}code{background:#222b36}section{border-color:#2c3743}}
"""
_METHODS = ("get", "post", "put", "patch", "delete")


def render(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    info = document["info"]
    operations = [
        _operation(path, method, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{escape(info['title'])}</title><link rel=stylesheet href=/docs/style.css>"
        f"<h1>{escape(info['title'])}</h1><p>{escape(info.get('description', ''))}</p>"
        f"<p>Version {escape(info['version'])} · the whole description for tools: "
        "<a href=/openapi.json>openapi.json</a></p>" + "".join(operations) + "</html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(item['name'])}</code> in {escape(item['in'])}"
        f"{' (required)' if item.get('required') else ''}: {escape(item.get('description', ''))}"
        for item in operation.get("parameters", [])
    )
    answers = " · ".join(
        f"{escape(status)} {escape(answer.get('description', ''))}"
        for status, answer in operation.get("responses", {}).items()
    )
    return (
        f"<section id={escape(operation.get('operationId', ''), quote=True)}>"
        f"<span class=method>{method.upper()}</span> <code>{escape(path)}</code>"
        f"<p><strong>{escape(operation.get('summary', ''))}</strong></p>"
        f"<p>{escape(operation.get('description', ''))}</p>"
        f"<ul>{parameters}</ul><p class=answers>{answers}</p></section>"
    )
