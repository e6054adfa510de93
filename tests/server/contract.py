"""``openapi.yaml`` as the tests use it: which operation an answer belongs to, and whether it keeps to it."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

METHODS = ("get", "post", "put", "patch", "delete")


@cache
def document() -> dict[str, Any]:
    text = (files("aiser_jupyter.server") / "openapi.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path below the prefix, method in capitals, and the operation."""
    return [
        (path, method.upper(), item[method])
        for path, item in document()["paths"].items()
        for method in METHODS
        if method in item
    ]


def operation(method: str, path: str) -> dict[str, Any]:
    """The operation of a request; of two templates that match, the one without a parameter."""
    found = [
        (template.count("{"), found)
        for template, verb, found in operations()
        if verb == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    ]
    assert found, f"{method} {path} is not in openapi.yaml"
    return min(found, key=lambda pair: pair[0])[1]


def check(method: str, path: str, status: int, content_type: str, body: bytes) -> None:
    """Fail where an answer is not one that the contract has."""
    responses = operation(method, path)["responses"]
    response = resolved(responses.get(str(status)) or responses["default"])
    if str(status) not in responses:
        assert status >= 400, f"{method} {path} answers {status}, which is not in openapi.yaml"
    if "content" not in response:
        assert not body, f"{method} {path} answers {status} with a body"
        return
    kind = content_type.partition(";")[0]
    assert kind in response["content"], f"{method} {path} answers {status} with {kind}"
    if kind == "application/json":
        answer = json.loads(body)
        if isinstance(answer.get("data"), list):  # not each of many rows
            answer["data"] = answer["data"][:100] + answer["data"][-1:]
        validator(response["content"][kind]["schema"]).validate(answer)


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    resource = Resource.from_contents(document(), default_specification=DRAFT202012)
    absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:contract#/'))
    return Draft202012Validator(absolute, registry=Registry().with_resource("urn:contract", resource))


def resolved(found: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in found:
        target: Any = document()
        for part in found["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return target
    return found
