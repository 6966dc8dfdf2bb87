"""`/api/` for people: every question, its parameters and its answers, written from the schema itself. No script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tothemoon.api import api


@require_safe
def api_page(request: HttpRequest) -> HttpResponse:
    schema = api.get_openapi_schema()
    shapes = schema["components"]["schemas"]
    context = {
        "about": _plain(schema["info"]["description"]),
        "questions": [_question(path, operation) for path, methods in schema["paths"].items() for operation in methods.values()],
        "shapes": [
            {"name": name, "about": _plain(shape.get("description", "")), "fields": list(_fields(shape))}
            for name, shape in shapes.items()
            if shape.get("properties")
        ],
    }
    return render(request, "api.html", context)


def _plain(text: str) -> str:
    return text.replace("`", "")


def _question(path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "path": path,
        "anchor": operation["operationId"],
        "title": operation["summary"],
        "about": _plain(operation.get("description", "")),
        "needs_key": "security" in operation,
        "parameters": [
            {
                "name": parameter["name"],
                "kind": _kind(parameter["schema"]),
                "about": _plain(parameter.get("description") or parameter["schema"].get("description", "")),
                "usual": parameter["schema"].get("default"),
            }
            for parameter in operation.get("parameters", [])
        ],
        "answers": [_answer(code, answer) for code, answer in sorted(operation["responses"].items(), key=lambda item: str(item[0]))],
    }


def _answer(code: Any, answer: Mapping[str, Any]) -> dict[str, Any]:
    kinds = [(form, _kind(content["schema"])) for form, content in answer.get("content", {}).items()]
    form, shape = kinds[0] if kinds else ("", "")
    return {"code": code, "about": answer.get("description", ""), "form": form, "shape": shape}


def _fields(shape: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, field in shape["properties"].items():
        yield {"name": name, "kind": _kind(field), "about": _plain(field.get("description", ""))}


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: number or null, list of PoolLine, one of Initial, Active."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"names with {_kind(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("const") or schema.get("type", "anything")) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    return f" {least:g} to {most:g}" if least is not None and most is not None else ""
