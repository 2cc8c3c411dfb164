"""The transport: what leaves, where to, and what counts as an answer."""

from __future__ import annotations

import logging
import ssl

import pytest
import requests
import responses
from graph_fakes import StillClock, Tokens, refusal
from responses import matchers
from urllib3.exceptions import IncompleteRead, NewConnectionError, ProtocolError

from calsync import __version__, errors
from calsync.adapters.graph.clouds import GLOBAL, custom
from calsync.adapters.graph.links import AllowedOrigin, event_path, user_path
from calsync.adapters.graph.transport import Transport
from calsync.adapters.wrap import Call, NotSent

URL = "https://graph.microsoft.com/v1.0/users/room@example.com/events"
CALL = Call(method="GET", target="/users/room@example.com/events", operation="test")


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def transport(tokens):
    made = Transport(cloud=GLOBAL, tenant_id="tenant-a", tokens=tokens, clock=StillClock())
    yield made
    made.close()


@responses.activate
def test_what_every_request_carries(transport):
    responses.get(URL, json={"value": []})
    responses.get(URL, json={"value": []})
    for _ in range(2):
        transport.call(Call(method="GET", target=CALL.target, operation="x", prefer="a=b"))
    first, second = (call.request.headers for call in responses.calls)
    assert first["Authorization"] == "Bearer tenant-a-token-1"
    assert first["Prefer"] == 'a=b, IdType="ImmutableId"'
    assert first["User-Agent"] == f"calsync/{__version__}"
    assert first["client-request-id"] != second["client-request-id"]


@responses.activate
def test_bodies_are_json(transport):
    responses.post(URL, json={"id": "1"}, match=[matchers.json_params_matcher({"a": "ä"})])
    call = Call(method="POST", target=CALL.target, operation="x", body={"a": "ä"})
    assert transport.call(call).body == {"id": "1"}
    sent = responses.calls[0].request
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Content-Length"] == str(len(sent.body))


@responses.activate
def test_one_401_renews_the_token_once(transport, tokens):
    responses.get(URL, status=401, json=refusal(401, "InvalidAuthenticationToken"))
    responses.get(URL, json={"value": []})
    assert transport.call(CALL).status == 200
    assert tokens.renewed == ["tenant-a-token-1"]
    sent = [call.request.headers["Authorization"] for call in responses.calls]
    assert sent == ["Bearer tenant-a-token-1", "Bearer tenant-a-token-2"]


@responses.activate
def test_a_second_401_is_the_end(transport):
    responses.get(URL, status=401, json=refusal(401, "InvalidAuthenticationToken"))
    with pytest.raises(errors.NotSignedIn):
        transport.call(CALL)
    assert len(responses.calls) == 2


def test_a_token_of_another_tenant_is_never_sent():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(URL, json={})
        made = Transport(
            cloud=GLOBAL, tenant_id="tenant-a", tokens=Tokens("tenant-b"), clock=StillClock()
        )
        with pytest.raises(errors.UsageError):
            made.call(CALL)
        assert len(mock.calls) == 0
        made.close()


@responses.activate
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<html>Sign in</html>", "text/html"),
        ("<html>Sign in</html>", "application/json"),
        ('{"value": [', "application/json"),
        ('{"value":[{]}\x00', "application/json"),
        ("[1, 2]", "application/json"),
        ("", "application/json"),
        ('{"value": []}', "text/plain"),
        ("[" * 200_000, "application/json"),
    ],
)
def test_only_a_json_object_is_a_good_answer(transport, body, kind):
    responses.get(URL, body=body, content_type=kind)
    with pytest.raises(errors.BadAnswer) as raised:
        transport.call(CALL)
    assert "Sign in" not in str(raised.value)


@responses.activate
def test_no_content_is_an_answer(transport):
    responses.delete(URL, status=204)
    responses.post(URL, status=202, body="")
    for method, status in (("DELETE", 204), ("POST", 202)):
        answer = transport.call(Call(method=method, target=CALL.target, operation="x"))
        assert (answer.status, answer.body) == (status, None)


@responses.activate
def test_redirects_are_not_followed(transport):
    responses.get(URL, status=302, headers={"Location": "https://elsewhere.example/"})
    assert transport.call(CALL).status == 302
    assert len(responses.calls) == 1


@responses.activate
def test_too_long_an_answer_is_cut_off(tokens):
    made = Transport(
        cloud=GLOBAL, tenant_id="tenant-a", tokens=tokens, clock=StillClock(), max_bytes=1000
    )
    responses.get(URL, json={"value": ["x" * 2000]})
    with pytest.raises(errors.BadAnswer, match="longer than 1000"):
        made.call(CALL)
    made.close()


LOST = [
    (requests.ConnectTimeout("x"), NotSent),
    (requests.ConnectionError(NewConnectionError(None, "refused")), NotSent),
    (requests.exceptions.SSLError(ssl.SSLCertVerificationError("bad")), NotSent),
    (requests.exceptions.SSLError("cut in the middle"), errors.Unavailable),
    (requests.ReadTimeout("x"), errors.Unavailable),
    (requests.ConnectionError(ProtocolError("aborted")), errors.Unavailable),
    (requests.ConnectionError(ProtocolError("cut", IncompleteRead(3, 5))), errors.Unavailable),
    (ConnectionResetError("x"), errors.Unavailable),
]


@responses.activate
@pytest.mark.parametrize(("error", "kind"), LOST)
def test_only_a_connection_never_made_is_not_sent(transport, error, kind):
    responses.get(URL, body=error)
    with pytest.raises(kind) as raised:
        transport.call(CALL)
    assert type(raised.value) is kind


LINKS = [
    ("https://graph.microsoft.com/v1.0/x?$skiptoken=a%2Bb", True),
    ("https://graph.microsoft.com:443/v1.0/x", True),
    ("HTTPS://graph.microsoft.com/x", False),
    ("https://GRAPH.microsoft.com/x", True),
    ("http://graph.microsoft.com/x", False),
    ("https://graph.microsoft.com:8443/x", False),
    ("https://graph.microsoft.com.evil.example/x", False),
    ("https://evil.example/graph.microsoft.com", False),
    ("https://graph.microsoft.com@evil.example/", False),
    ("https://evil.example\\@graph.microsoft.com/", False),
    ("https://graph.microsoft.com\\.evil.example/", False),
    ("https://graph.microsoft.com/x\r\nHost: evil.example", False),
    ("https://graph.microsoft.com/x y", False),
    ("//evil.example/x", False),
    ("file:///etc/passwd", False),
    ("", False),
    ("https://graph.microsoft.com", False),
]


@pytest.mark.parametrize(("link", "allowed"), LINKS)
@responses.activate
def test_tokens_go_to_one_origin_only(transport, tokens, link, allowed):
    responses.get(url=__import__("re").compile(".*"), json={})
    if allowed:
        transport.call(Call(method="GET", target=link, operation="x"))
        assert len(responses.calls) == 1
        return
    with pytest.raises(errors.ForbiddenLink):
        AllowedOrigin("https://graph.microsoft.com").check(link)
    if not link.startswith("/"):
        with pytest.raises(errors.ForbiddenLink):
            transport.call(Call(method="GET", target=link, operation="x"))
    assert len(responses.calls) == 0


def test_paths_quote_what_a_path_may_not_hold():
    assert user_path("room+1@example.com") == "/users/room%2B1@example.com"
    assert event_path("r@e.com", "AAMk/a=b+c?") == "/users/r@e.com/events/AAMk%2Fa%3Db%2Bc%3F"


@pytest.mark.parametrize(
    "url",
    [
        "http://graph.example",
        "http://169.254.169.254",
        "ftp://127.0.0.1",
        "https://u:p@h.example",
        "https://h.example/path",
        "https://h.example?q",
        "",
    ],
)
def test_other_clouds_need_https_except_on_this_machine(url):
    with pytest.raises(errors.UsageError):
        custom(login="https://login.example", graph=url)
    with pytest.raises(errors.UsageError):
        custom(login=url, graph="https://graph.example")


def test_loopback_may_be_plain():
    cloud = custom(login="http://127.0.0.1:1/", graph="http://[::1]:2")
    assert (cloud.login, cloud.graph) == ("http://127.0.0.1:1", "http://[::1]:2")


@responses.activate
def test_nothing_secret_is_logged_or_shown(transport, caplog):
    caplog.set_level(logging.DEBUG)
    responses.post(URL, status=404, json=refusal(404, "ErrorItemNotFound"))
    call = Call(method="POST", target=CALL.target, operation="x", body={"subject": "Layoffs"})
    transport.call(call)
    text = caplog.text + repr(transport)
    for hidden in ("token-1", "Layoffs", "room@example.com", "Bearer"):
        assert hidden not in text
