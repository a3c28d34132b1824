"""The documents under docs/api, made from the code: OpenAPI per service, AsyncAPI, and the golden files.

OpenAPI and AsyncAPI follow the code and are written anew. Golden files are promises to readers that exist:
the code has to follow them, so they are made once and never overwritten.
"""

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from service_kit.auth import ApiKeys, Authenticator

from florin.asyncapi import asyncapi_document
from florin.golden import golden_files
from florin.services import PROCESSES, module_of


def folder_here() -> Path:
    """docs/api of the checkout that this code lies in."""
    return Path(__file__).resolve().parents[4] / "docs" / "api"


def generated_files() -> dict[str, bytes]:
    """The generated documents by file name, in one form: keys sorted, two spaces, a line feed at the end."""
    documents = {f"{service}.openapi.json": openapi_document(service) for service in PROCESSES}
    documents["messages.asyncapi.json"] = asyncapi_document()
    return {
        name: (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
        for name, document in documents.items()
    }


def openapi_document(service: str) -> dict[str, Any]:
    """What the service's API says of itself."""
    document: dict[str, Any] = unserved_api(service, ApiKeys([], b"no keys")).openapi()
    return document


def unserved_api(service: str, authenticator: Authenticator) -> FastAPI:
    """The service's API with its routes alone: nothing is started, and nothing stands behind them."""
    make_api = import_module(f"{module_of(service)}.app").make_api
    # Routes touch their database and clock when they are called.
    parts: dict[str, Any] = dict.fromkeys(inspect.signature(make_api).parameters)
    parts["api_keys"] = authenticator
    api: FastAPI = make_api(**parts)
    return api


def write(folder: Path) -> list[str]:
    """Write what is missing or out of date; return its names. Golden files that exist are left alone."""
    golden = {name: content for name, content in golden_files().items() if not (folder / name).exists()}
    written = []
    for name, content in {**generated_files(), **golden}.items():
        file = folder / name
        if not file.exists() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            written.append(name)
    return written


def drifted(folder: Path) -> list[str]:
    """One line for each document that says something else than the code; empty when all agree."""
    generated, golden = generated_files(), golden_files()
    lines = [
        f"{name}: out of date: run `florin api-docs`"
        for name, content in generated.items()
        if _content(folder / name) != content
    ]
    lines += [
        f"{name}: the code no longer makes what readers were promised: within a version only add, "
        "and delete the file only to promise anew"
        if (folder / name).exists()
        else f"{name}: missing: run `florin api-docs`"
        for name, content in golden.items()
        if _content(folder / name) != content
    ]
    known = {folder / name for name in (*generated, *golden)}
    found = [*folder.glob("*.json"), *folder.glob("golden/*"), *folder.glob("golden-frame/*")]
    lines += [
        f"{file.relative_to(folder).as_posix()}: nothing in the code makes it: delete it"
        for file in sorted(found)
        if file not in known and file.name != ".gitattributes"
    ]
    return lines


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None
