"""The settings of notices: every mistake is named with its place, and no secret stands in them."""

from __future__ import annotations

import pytest

from calsync.adapters.hub.telling import KINDS
from calsync.adapters.notify import assembly
from calsync.errors import SettingsError
from calsync.model import NoticeKind
from calsync.settings import parse

MAIL = '[notices]\nenabled = true\nsender = "rooms@x.example"\nvia = "smtp"\n'
SMTP = '[smtp]\nhost = "smtp.x.example"\n'
CHANNEL = '[[channels]]\nname = "ops"\nurl_env = "OPS"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MAIL, "4: notices.via"),
        ('[notices]\nkinds = ["started"]', "'started' is none of"),
        ('[notices]\nwebhook_kinds = ["warned"]', "'warned' is none of"),
        ('[notices]\nlanguage = "de"', "must be one of en, nl, sv, ko"),
        ('[notices]\nlanguages = { "x.example" = "de" }', "'de'"),
        ('[notices]\nlanguages = { "not a domain!" = "nl" }', "neither an address nor a domain"),
        ('[notices]\nlanguages = "nl"', "must be a table"),
        ('[notices]\nlead = "10s"', "between 1m and 1d"),
        (f'{MAIL}{SMTP}user = "u"', "password_env or password_file is missing"),
        (f'{MAIL}{SMTP}password_env = "P"', "user is missing"),
        (f'{MAIL}{SMTP}user = "u"\npassword_env = "P"\npassword_file = "p"', "given twice"),
        (f'{MAIL}{SMTP}user = "u"\npassword_env = "P"\nsecurity = "none"', "unencrypted"),
        (f'{MAIL}[smtp]\nhost = "smtp.x.example:25"', "is not the name of a server"),
        (f'{MAIL}{SMTP}password = "hunter2"', "a secret does not belong in the settings file"),
        ('[[channels]]\nname = "ops"', "it has no address"),
        (f'{CHANNEL}url_file = "x"', "given twice"),
        (f"{CHANNEL}{CHANNEL}", "used by entry 1 already"),
        ('[[channels]]\nname = "mail"\nurl_env = "X"', "a name that calsync itself uses"),
        ('[[channels]]\nname = "webhooks"\nurl_env = "X"', "a name that calsync itself uses"),
        ('[[channels]]\nname = "ops"\nurl = "slack://canary"', "a secret does not belong"),
        (f'{CHANNEL}rooms = ["a b"]', "cannot be a name here"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_password_may_travel_plainly_within_this_machine_only() -> None:
    text = f'{MAIL}[smtp]\nhost = "127.0.0.1"\nuser = "u"\npassword_env = "P"\nsecurity = "none"'
    assert parse(text).smtp.password is not None


def test_files_count_from_the_folder_of_the_settings() -> None:
    text = (
        f'{MAIL}templates = "words"\n{SMTP}ca_file = "ca.pem"\nuser = "u"\n'
        'password_file = "p.txt"\n[[channels]]\nname = "ops"\nurl_file = "ops.txt"\n'
    )
    found = parse(text, path="/etc/calsync/calsync.toml")
    assert found.notices.templates == "/etc/calsync/words"
    assert (found.smtp.ca_file, found.smtp.password_file) == (
        "/etc/calsync/ca.pem",
        "/etc/calsync/p.txt",
    )
    assert found.channels[0].url_file == "/etc/calsync/ops.txt"


def test_what_is_off_tells_nobody() -> None:
    plain = parse("")
    assert assembly.mailed(plain) == frozenset()
    assert assembly.audiences(plain) == ()
    some = parse(f'[notices]\nwebhook_kinds = ["starting"]\n{CHANNEL}rooms = ["atrium"]')
    assert assembly.mailed(some) == frozenset(), "kinds count only where mail is on"
    ops, webhooks = assembly.audiences(some)
    assert (ops.name, ops.rooms, ops.details) == ("ops", frozenset({"atrium"}), False)
    assert (webhooks.name, webhooks.kinds) == ("webhooks", frozenset({NoticeKind.STARTING}))


def test_a_platform_is_told_what_the_contract_names() -> None:
    """What a webhook may say is in the list that receivers read."""
    named = [kind.removeprefix("notice.") for kind in KINDS if kind.startswith("notice.")]
    listed = ", ".join(f'"{kind}"' for kind in named)
    assert parse(f"[notices]\nwebhook_kinds = [{listed}]").notices.webhook_kinds == tuple(named)
    refused = {kind.value for kind in NoticeKind} - set(named)
    assert refused == {"warned"}
