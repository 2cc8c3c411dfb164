"""XML that should hurt whoever reads it, sent to the sandbox's EWS front."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.sandbox.soap import Answer, Ews, appointment, place

pytestmark = pytest.mark.not_of_schema


@pytest.fixture
def ews() -> Ews:
    return Ews()


def with_doctype(ews: Ews, doctype: str, subject: str) -> str:
    body = ews.envelope(
        '<m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId>'
        f"{place('calendar')}</m:SavedItemFolderId><m:Items><t:CalendarItem>"
        f"{appointment('SUBJECT')}</t:CalendarItem></m:Items></m:CreateItem>"
    )
    head, _, rest = body.partition("?>")
    return f"{head}?>{doctype}{rest}".replace("SUBJECT", subject)


def refused(ews: Ews, body: str | bytes) -> None:
    started = time.monotonic()
    answer = ews.raw(body)
    assert time.monotonic() - started < 5
    assert answer.status == 500
    assert Answer(answer).codes == ["ErrorSchemaValidation"]
    assert ews.graph.live() == []


def test_a_bomb_of_entities(ews: Ews) -> None:
    entities = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
    )
    refused(ews, with_doctype(ews, f"<!DOCTYPE x [{entities}]>", "&a11;"))


def test_a_file_by_an_external_entity(ews: Ews, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of this machine", encoding="utf-8")
    doctype = f'<!DOCTYPE x [<!ENTITY f SYSTEM "{secret.as_uri()}">]>'
    body = with_doctype(ews, doctype, "&f;")
    refused(ews, body)
    assert b"the secret" not in ews.raw(body).body


def test_nothing_is_fetched(ews: Ews) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/evil.dtd"
        for doctype in (
            f'<!DOCTYPE x SYSTEM "{url}">',
            f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{url}"> %p;]>',
            f'<!DOCTYPE x [<!ENTITY f SYSTEM "{url}">]>',
        ):
            refused(ews, with_doctype(ews, doctype, "x"))
        included = ews.envelope(
            f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{url}"/>'
        )
        assert Answer(ews.raw(included)).codes == ["ErrorInvalidRequest"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == []


def test_a_document_type_in_another_encoding(ews: Ews) -> None:
    body = with_doctype(ews, '<!DOCTYPE x [<!ENTITY a "b">]>', "&a;")
    body = body.replace('encoding="utf-8"', 'encoding="utf-16"')
    refused(ews, body.encode("utf-16"))
    refused(ews, body.replace("utf-16", "utf-7").encode("utf-7"))


def test_depth_and_width(ews: Ews) -> None:
    refused(ews, ews.envelope("<a>" * 5000 + "</a>" * 5000))
    refused(ews, ews.envelope("<a>" * 150 + "</a>" * 150))
    refused(ews, ews.envelope("<m:GetItem>" + "<t:a/>" * 250_000 + "</m:GetItem>"))


def test_a_restriction_deeper_than_anybody_needs(ews: Ews) -> None:
    test = '<t:Exists><t:FieldURI FieldURI="item:Subject"/></t:Exists>'
    for _ in range(80):
        test = f"<t:Not>{test}</t:Not>"
    assert ews.find(test).codes == ["ErrorRestrictionTooComplex"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"<",
        b"<a/>",
        b"\xff\xfe<",
        b"<?xml version='1.0' encoding='nonsense'?><a/>",
        b'<?xml version="1.0"?><s:Envelope/>',
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">&#0;</s:Envelope>',
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>',
    ],
)
def test_what_is_no_envelope(ews: Ews, body: bytes) -> None:
    refused(ews, body)


def test_hostile_text_stays_text(ews: Ews) -> None:
    text = "]]><t:Subject>x</t:Subject>&lt;script&gt; \u202e\ud83d\ude00".encode(
        "utf-16", "surrogatepass"
    ).decode("utf-16")
    made = ews.create(subject=text).ok().ids[0][0]
    assert ews.get(made).text("//t:CalendarItem/t:Subject") == text


def test_what_xml_cannot_carry_is_left_out_of_answers(ews: Ews) -> None:
    ews.graph.book(kind="book_direct", subject="a\x00b\x0bc\ufffe d")
    ident = ews.find().ids[0][0]
    assert ews.get(ident).text("//t:CalendarItem/t:Subject") == "abc d"
