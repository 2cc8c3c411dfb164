"""Pages for people who read the API: plain HTML, made here, without scripts or other hosts."""

from __future__ import annotations

from html import escape
from typing import Any, Final

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code { background: #f3f3f3; padding: 0 .2em } dt { font-weight: 600; margin-top: .6em }
section { border-top: 1px solid #ddd; padding: .5rem 0 } .method { font-weight: 700 }
table { border-collapse: collapse } td { padding: .1rem .8rem .1rem 0; vertical-align: top }
"""


def page(doc: dict[str, Any]) -> str:
    """Every operation and schema of an OpenAPI document."""
    operations = [
        _operation(method, path, operation)
        for path, item in doc["paths"].items()
        for method, operation in item.items()
    ]
    schemas = [_schema(name, schema) for name, schema in doc["components"]["schemas"].items()]
    info = doc["info"]
    return _html(
        f"{info['title']} API {info['version']}",
        f"<p>{escape(info['description'])} The machine-readable form is "
        f"<a href='/openapi.json'>/openapi.json</a> (OpenAPI {escape(doc['openapi'])}).</p>"
        + "".join(operations)
        + "<h2>Schemas</h2>"
        + "".join(schemas),
    )


def problem_page(code: str, status: int, title: str) -> str:
    return _html(f"Problem {code}", f"<p>{escape(title)}. HTTP status {status}.</p>")


def _html(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{body}</html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}"
        f"{', required' if p.get('required') else ''}</td>"
        f"<td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation.get("parameters", ())
    ]
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        rows.append(f"<tr><td>body</td><td>{escape(media)}</td><td>{_link(content)}</td></tr>")
    for status, response in operation.get("responses", {}).items():
        links = ", ".join(_link(c) for c in response.get("content", {}).values())
        rows.append(
            f"<tr><td>{escape(str(status))}</td><td>{escape(response['description'])}</td>"
            f"<td>{links}</td></tr>"
        )
    return (
        f"<section><p><span class='method'>{escape(method.upper())}</span> "
        f"<code>{escape(path)}</code> {escape(operation.get('summary', ''))}. "
        f"{escape(operation.get('description', ''))}</p><table>{''.join(rows)}</table></section>"
    )


def _link(content: dict[str, Any]) -> str:
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return f"<a href='#{escape(name)}'>{escape(name)}</a>" if name else ""


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    members = "".join(
        f"<dt><code>{escape(member)}</code>{' (required)' if member in required else ''}</dt>"
        f"<dd>{escape(_said(part))}</dd>"
        for member, part in schema.get("properties", {}).items()
    )
    return f"<section id='{escape(name)}'><h3>{escape(name)}</h3><dl>{members}</dl></section>"


def _said(part: dict[str, Any]) -> str:
    """A member in a few words."""
    if "enum" in part:
        kind = " | ".join(str(v) for v in part["enum"])
    elif "$ref" in part:
        kind = part["$ref"].rpartition("/")[2]
    elif "anyOf" in part:
        kind = " or ".join(_said(p) for p in part["anyOf"])
    elif part.get("type") == "array":
        kind = f"list of {_said(part['items'])}"
    else:
        kind = str(part.get("type", part.get("const", "")))
    text = part.get("description", "")
    return f"{kind}. {text}" if text else kind
