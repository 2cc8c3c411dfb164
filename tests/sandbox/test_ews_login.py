"""Who gets into EWS, as whom, and what a request must look like."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from calsync.sandbox.ews.accounts import Account

from .client import ANN, BOB, ROOM, ROOM2
from .soap import SERVICE, URL, Ews, place

FOLDER = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
    "<m:FolderIds>{}</m:FolderIds></m:GetFolder>"
)


def folder(ews: Ews, name: str = "calendar") -> Any:
    return ews.call(FOLDER.format(place(name)))


@pytest.fixture
def ews() -> Ews:
    return Ews()


def test_the_first_answer_asks_for_basic(ews: Ews) -> None:
    answer = ews.graph.box.handle("POST", URL, {"Content-Type": "text/xml"}, b"<x/>")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize(
    ("user", "password", "status"),
    [
        (SERVICE, None, 200),
        ("CONTOSO\\svc-calsync", None, 200),
        ("contoso.example\\svc-calsync", None, 200),
        (SERVICE.upper(), None, 200),
        (SERVICE, "wrong", 401),
        ("nobody@contoso.example", None, 401),
        ("", "", 401),
    ],
)
def test_names_to_log_in_with(ews: Ews, user: str, password: str | None, status: int) -> None:
    ews.user, ews.password = user, ews.password if password is None else password
    assert ews.raw(ews.envelope(FOLDER.format(place("calendar")))).status == status


def test_a_broken_login_is_no_login(ews: Ews) -> None:
    for header in ("Basic !!!", "Bearer x", "Basic " + b64encode(b"\xff\xfe:x").decode()):
        answer = ews.graph.box.handle(
            "POST", URL, {"Content-Type": "text/xml", "Authorization": header}, b"<x/>"
        )
        assert answer.status == 401, header


def test_people_log_in_to_their_own_mailbox(ews: Ews) -> None:
    ews.user, ews.act_as = ANN, None
    answer = folder(ews).ok()
    assert answer.text("//t:DisplayName") == "Calendar"
    assert folder(ews, f"calendar@{BOB}").codes == ["ErrorAccessDenied"]


def test_a_service_account_has_no_mailbox_of_its_own(ews: Ews) -> None:
    ews.act_as = None
    assert folder(ews).codes == ["ErrorMissingEmailAddress"]
    assert folder(ews, f"calendar@{ROOM}").ok()


def test_a_delegate_opens_what_its_scope_covers(ews: Ews) -> None:
    account: Account = ews.graph.box.ews.accounts.services[SERVICE]
    account.opens = frozenset({ROOM})
    ews.act_as = None
    assert folder(ews, f"calendar@{ROOM}").ok()
    assert folder(ews, f"calendar@{ROOM2}").codes == ["ErrorAccessDenied"]
    ews.graph.box.ews.denial = "ErrorItemNotFound"
    assert folder(ews, f"calendar@{ROOM2}").codes == ["ErrorItemNotFound"]


def test_impersonation_is_refused_as_a_whole(ews: Ews) -> None:
    account: Account = ews.graph.box.ews.accounts.services[SERVICE]
    account.impersonates = frozenset({ROOM})
    assert folder(ews).ok()
    ews.act_as = ROOM2
    answer = folder(ews)
    assert answer.codes == ["ErrorImpersonateUserDenied"]
    assert answer.response.status == 500
    ews.act_as = "nobody@contoso.example"
    assert folder(ews).codes == ["ErrorNonExistentMailbox"]
    ews.user, ews.act_as = ANN, ROOM
    assert folder(ews).codes == ["ErrorImpersonateUserDenied"]


def test_whoever_is_impersonated_has_its_own_rights_only(ews: Ews) -> None:
    assert folder(ews, f"calendar@{ROOM2}").codes == ["ErrorAccessDenied"]


def test_another_company_is_out_of_reach(ews: Ews) -> None:
    ews.graph.control(
        "POST",
        "tenants",
        {"tenant": "t-2", "domain": "other.example", "client_id": "c", "secret": "s"},
    )
    ews.graph.control(
        "POST", "rooms", {"address": "r@other.example", "tenant": "t-2", "zone": "UTC"}
    )
    ews.act_as = "r@other.example"
    assert folder(ews).codes == ["ErrorImpersonateUserDenied"]
    ews.act_as = None
    assert folder(ews, "calendar@r@other.example").codes == ["ErrorNonExistentMailbox"]


def test_a_missing_mailbox_in_a_folder_id(ews: Ews) -> None:
    assert folder(ews, "calendar@none@contoso.example").codes == ["ErrorNonExistentMailbox"]


@pytest.mark.not_of_schema
def test_versions(ews: Ews) -> None:
    for version in ("Exchange2007_SP1", "Exchange2010_SP2", "Exchange2013", "V2017_07_11", None):
        ews.version = version
        answer = folder(ews).ok()
        head = answer.one("//t:ServerVersionInfo")
        assert head.get("MajorVersion") == "15"
    ews.version = "Exchange2042"
    answer = folder(ews)
    assert answer.codes == ["ErrorInvalidServerVersion"]
    assert answer.response.status == 500


@pytest.mark.not_of_schema
def test_what_the_schema_does_not_allow(ews: Ews) -> None:
    bad = [
        "<m:GetFolder/>",
        "<m:GetFolder><m:FolderShape><t:BaseShape>Everything</t:BaseShape></m:FolderShape></m:GetFolder>",
        FOLDER.format('<t:DistinguishedFolderId Id="attic"/>'),
        FOLDER.format("<t:Elsewhere/>"),
        FOLDER.format(""),
    ]
    for body in bad:
        answer = ews.call(body)
        assert answer.codes == ["ErrorSchemaValidation"], body
        assert answer.response.status == 500
        assert answer.text("//faultstring").startswith("The request failed schema validation")


@pytest.mark.not_of_schema
def test_operations_nobody_offers(ews: Ews) -> None:
    assert ews.call("<m:PlayOnPhone/>").codes == ["ErrorInvalidOperation"]
    assert ews.call("<m:DoMagic/>").codes == ["ErrorInvalidOperation"]
    assert ews.call("").codes == ["ErrorInvalidRequest"]


def test_other_paths_methods_and_types(ews: Ews) -> None:
    login = {"Authorization": "Basic " + b64encode(f"{ews.user}:{ews.password}".encode()).decode()}
    handle = ews.graph.box.handle
    assert (
        handle("POST", "/ews/exchange.asmx", login | {"Content-Type": "text/xml"}, b"").status
        == 500
    )
    assert handle("GET", URL, login).status == 200
    assert handle("POST", URL, login | {"Content-Type": "application/json"}, b"{}").status == 415
    assert handle("GET", "/EWS/Other.asmx", login).status == 404


def test_ids_for_traces_come_back_when_asked_for(ews: Ews) -> None:
    body = ews.envelope(FOLDER.format(place("calendar")))
    asked = {"client-request-id": "abc", "return-client-request-id": "true"}
    assert ews.raw(body, **asked).headers["client-request-id"] == "abc"
    assert "client-request-id" not in ews.raw(body, **{"client-request-id": "abc"}).headers


def test_distinguished_folders_an_ordinary_client_asks_for(ews: Ews) -> None:
    names = (
        "msgfolderroot inbox drafts sentitems deleteditems outbox calendar contacts tasks "
        "junkemail notes root"
    )
    ids = "".join(place(name) for name in names.split())
    answer = ews.call(FOLDER.format(ids)).ok()
    assert len(answer.all("//m:GetFolderResponseMessage")) == len(names.split())
    assert folder(ews, "publicfoldersroot").codes == ["ErrorNoPublicFolderReplicaAvailable"]
    assert folder(ews, "archivemsgfolderroot").codes == ["ErrorFolderNotFound"]
