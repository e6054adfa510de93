"""The description of the API and the API are the same thing."""

from __future__ import annotations

import re

import pytest
import yaml
from jsonschema import Draft202012Validator
from tornado.web import RequestHandler

from aiser_jupyter.server.handlers import routes
from tests.server.contract import document, operations

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def template(pattern: str) -> str:
    return re.sub(r"\(\[\^/\]\+\)", "{id}", pattern.removeprefix("/aiser"))


def served() -> set[tuple[str, str]]:
    return {
        (template(pattern), verb)
        for pattern, handler in routes()
        for verb in VERBS
        if getattr(handler, verb.lower()) is not RequestHandler._unimplemented_method
    }


def test_every_route_is_described_and_every_description_is_served():
    assert served() == {(path, method) for path, method, _ in operations()}


def test_every_schema_is_one():
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_has_a_name_a_right_and_an_error():
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    for path, method, operation in operations():
        action, resource = operation["x-authorization"].split()
        assert action in ("read", "write", "execute"), path
        assert resource.startswith("aiser:"), path
        assert action != "write" or method != "GET", path
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Error"}, path


def test_no_answer_has_a_place_for_a_secret():
    """Only requests have them; an answer has ``SecretState``."""
    answers = document()["components"]["schemas"]
    requests = {"ConnectionInput", "ConnectionTestInput", "ConnectionChange"}
    secret = {
        f"{name}.{field}"
        for name, schema in answers.items()
        for field in schema.get("properties", {})
        if name not in requests and re.search("password|token|secret$|connection_string", field)
    }
    assert secret == {"Field.secret"}  # whether a field is one
    assert document()["components"]["schemas"]["SecretState"]["properties"] == {
        "set": {"type": "boolean", "const": True}
    }


async def test_the_server_gives_the_description_away_to_who_may_read(api):
    answer = await api("GET", "/openapi.yaml")
    assert yaml.safe_load(answer.raw) == document()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_method_that_is_not_there_names_those_that_are(jp_fetch, api, method):
    from tornado.httpclient import HTTPClientError

    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("aiser", "data", "engines", method=method, allow_nonstandard_methods=True)
    assert refused.value.code == 405
    assert refused.value.response.headers["Allow"] == "GET, OPTIONS"
