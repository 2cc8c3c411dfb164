"""Settings: every problem at once, with its line; never a traceback; no secret in the file."""

import os
import re
from dataclasses import fields, replace
from datetime import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.errors import SettingsError, UsageError
from calsync.settings import Channel, Connection, RoomEntry, SecretRef, Settings, load, parse
from calsync.settings.lines import Lines
from calsync.settings.reader import LARGEST

EXAMPLE = (Path(__file__).parents[2] / "settings.example.toml").read_text(encoding="utf-8")
CONNECTION = """
[[connections]]
name = "main"
tenant_id = "contoso.com"
client_id = "app"
client_secret_env = "SECRET"
"""


def problems(text: str) -> list[str]:
    """Each problem as ``line key: what``."""
    with pytest.raises(SettingsError) as caught:
        parse(text)
    return [f"{p.line} {p.key}: {p.what}" for p in caught.value.problems]


def todos(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    return "\n".join(p.todo for p in caught.value.problems)


# --- the example -----------------------------------------------------------------------------


def test_the_example_is_the_defaults() -> None:
    assert parse(EXAMPLE) == Settings(path="calsync.toml") == parse("")


def test_every_setting_is_in_the_example() -> None:
    """As a setting, or named in the comment on the setting it can stand in for."""
    shown = {
        (match.group(1)) for match in re.finditer(r"^#?([a-z_]+) = ", EXAMPLE, re.MULTILINE)
    } | {"certificate_password_env", "federated_token_env", "url_file"}
    for stand_in in (
        "certificate_password_env",
        "federated_token_env",
        "url_file",
        "password_file",
    ):
        assert stand_in in EXAMPLE
    parts = [type(getattr(Settings(), f.name)) for f in fields(Settings)]
    every = {
        f.name
        for part in [*parts, Connection, RoomEntry, Channel]
        if part not in (str, tuple)
        for f in fields(part)
    }
    assert every - shown == set()


def test_every_section_is_in_the_example() -> None:
    for field in fields(Settings):
        if field.name != "path":
            assert re.search(rf"^#?\[+{field.name}\]+$", EXAMPLE, re.MULTILINE), field.name


def test_the_example_with_all_its_examples_is_right() -> None:
    text = re.sub(r"^#(?=[\[a-z])", "", EXAMPLE, flags=re.MULTILINE)
    found = parse(text)
    assert [c.credential for c in found.connections] == [
        "secret",
        "certificate",
        "federated",
        "secret",
        "secret",
    ]
    assert [c.kind for c in found.connections] == ["graph", "graph", "graph", "ews", "graph"]
    assert found.connections[3].user == "CONTOSO\\svc-calsync"
    assert found.connections[3].password == SecretRef(
        env="CALSYNC_EXCHANGE_PASSWORD", where="connection onprem, password"
    )
    assert found.rooms[0].mailbox == "atrium@contoso.com"


def test_each_setting_of_the_example_comes_with_a_comment() -> None:
    lines = EXAMPLE.splitlines()
    for number, line in enumerate(lines):
        if not re.match(r"[a-z_]+ = ", line):
            continue
        above = number - 1
        while re.match(r"[a-z_]+ = ", lines[above]):
            above -= 1
        assert lines[above].startswith("# "), line


# --- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5.0), ("2.5", 2.5), ('"90s"', 90.0), ('"3m"', 180.0), ('"1h 30m"', 5400.0)],
)
def test_durations(value: str, seconds: float) -> None:
    text = f'[worker]\npoll_floor = {value}\npoll_ceiling = "1d"'
    assert parse(text).worker.poll_floor == seconds


@pytest.mark.parametrize("value", ['"02:05"', "02:05:00"])
def test_times_of_day(value: str) -> None:
    assert parse(f"[worker]\nfull_compare_at = {value}").worker.full_compare_at == time(2, 5)


def test_a_connection_and_a_room() -> None:
    found = parse(
        CONNECTION
        + """
[[rooms]]
id = "atrium"
name = "Atrium"
zone = "Europe/Berlin"
mailbox = "Atrium@Contoso.com"
"""
    )
    assert found.connection("main") == found.connections[0]
    assert found.connection("other") is None
    assert found.rooms[0].mailbox == "atrium@contoso.com"
    assert found.connections[0].client_secret == SecretRef(
        env="SECRET", where="connection main, client_secret"
    )


def test_paths_count_from_the_folder_of_the_file() -> None:
    text = (
        '[database]\nurl = "sqlite:///state/x.db"\n[log]\nfile = "calsync.log"\n'
        + CONNECTION.replace('client_secret_env = "SECRET"', 'client_secret_file = "s.txt"')
    )
    found = parse(text, path="/etc/calsync/calsync.toml")
    assert found.database.url == "sqlite:////etc/calsync/state/x.db"
    assert found.log.file == "/etc/calsync/calsync.log"
    assert found.connections[0].client_secret_file == "/etc/calsync/s.txt"


# --- problems, with their lines --------------------------------------------------------------

MANY = """\
# A file in which nearly everything is wrong.
[worker]
poll_flor = 5
threads = "many"
poll_ceiling = "soon"
full_compare_at = "25:00"

[api]
port = 99999
threads = 3

[[connections]]
name = "main"
tenant_id = "contoso.com"
client_id = "app"
client_secret = "hunter2"

[[connections]]
name = "two words"
tenant_id = ""

[[rooms]]
id = "atrium"
name = "Atrium"
zone = "Mars/Olympus"
mailbox = "not an address"

[guards]
max_share = 0.5
"""


def test_every_problem_at_once_with_its_line() -> None:
    assert problems(MANY) == [
        "3 worker.poll_flor: there is no setting of this name",
        "4 worker.threads: must be a whole number, not text ('many')",
        "5 worker.poll_ceiling: 'soon' is not a duration",
        "6 worker.full_compare_at: must be a time of day, not text ('25:00')",
        "9 api.port: must be between 0 and 65535, not 99999",
        "10 api.threads: there is no setting of this name",
        "16 connections[1].client_secret: a secret does not belong in the settings file",
        "18 connections[2].client_id: is missing",
        "19 connections[2].name: 'two words' cannot be a name here",
        "20 connections[2].tenant_id: '' is not a tenant id",
        "25 rooms[1].zone: 'Mars/Olympus' is not a time zone",
        "26 rooms[1].mailbox: 'not an address' is not a mailbox address",
        "28 guards: there is no section of this name",
    ]


def test_the_whole_message_names_file_line_and_what_to_do() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(MANY, path="x.toml")
    text = str(caught.value)
    assert "x.toml: 13 problem(s)" in text
    assert "x.toml:3: worker.poll_flor: there is no setting of this name. Did you mean" in text
    assert "It belongs in [worker]" in text
    assert "Did you mean guard?" in text


def test_a_secret_in_the_file_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(MANY)
    assert "client_secret_env" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_password_in_the_database_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        parse('[database]\nurl = "postgresql://calsync:hunter2@db/calsync"')
    assert "password" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_setting_at_the_top_is_sent_to_its_section() -> None:
    assert "write it under [worker]" in todos("poll_floor = 5")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[worker]\npoll_floor = 400", "2 worker.poll_floor: 400s is above poll_ceiling (6m)"),
        (
            "[retention]\n\ndetails_days = 9\nlinks_days = 8",
            "4 retention.links_days: is below details_days (9)",
        ),
        ("[window]\npast_days = 30", "0 retention.details_days: must be more than window"),
        ("[notices]\nenabled = true", "2 notices.enabled: notices need a mailbox"),
        (
            '[outlook_rules]\nnotice = "warn"',
            "2 outlook_rules.notice: nobody can be warned: notices are off",
        ),
        (
            '[outlook_rules]\nseats = "warn"\n[notices]\nenabled = true\nsender = "a@b.test"\n'
            'kinds = ["rejected"]',
            "2 outlook_rules.seats: nobody can be warned: kinds under [notices] has no",
        ),
        (
            '[[rooms]]\nid="a"\nname="A"\nzone="UTC"\noutlook_rules="length=warn"',
            "5 rooms[1].outlook_rules: nobody can be warned",
        ),
        (
            '[[rooms]]\nid="a"\nname="A"\nzone="UTC"\noutlook_rules="colour=warn"',
            "5 rooms[1].outlook_rules: 'colour=warn' is not RULE=REACTION",
        ),
        (
            CONNECTION + 'cloud = "custom"\ngraph_url = "https://x.test"',
            "7 connections[1].cloud: the custom cloud needs login_url",
        ),
        (
            CONNECTION + 'login_url = "https://x.test"',
            "7 connections[1].login_url: cloud global has its own addresses",
        ),
        (
            CONNECTION + 'credential = "certificate"',
            "7 connections[1].credential: credential certificate needs certificate_file",
        ),
        (
            CONNECTION + 'client_secret_file = "x"',
            "6 connections[1].client_secret_env: is given twice",
        ),
        (CONNECTION + CONNECTION, "9 connections[2].name: main is used by entry 1 already"),
        (
            '[[rooms]]\nid="a"\nname="A"\nzone="UTC"\nmailbox="a@b.c"',
            "5 rooms[1].mailbox: it is not clear through which connection",
        ),
        (
            CONNECTION + '[[rooms]]\nid="a"\nname="A"\nzone="UTC"\nconnection="men"\nmailbox="a@b"',
            "11 rooms[1].connection: there is no connection men",
        ),
        (
            CONNECTION + '[[rooms]]\nid="a"\nname="A"\nzone="UTC"\nmailbox="a@b"\n' * 2,
            "13 rooms[2].id: a is used by entry 1 already",
        ),
    ],
)
def test_contradictions(text: str, found: str) -> None:
    assert any(problem.startswith(found) for problem in problems(text)), problems(text)


def test_a_wrong_setting_does_not_also_contradict_another() -> None:
    text = '[worker]\npoll_floor = 400\npoll_ceiling = "soon"'
    assert problems(text) == ["3 worker.poll_ceiling: 'soon' is not a duration"]


@pytest.mark.parametrize(
    "url", ["http://graph.example", "https://x/y", "https://u@x", "ftp://x", "https://[", "x"]
)
def test_addresses_that_could_leak_the_credential(url: str) -> None:
    text = CONNECTION + f'cloud = "custom"\nlogin_url = "{url}"\ngraph_url = "https://x.test"'
    assert any("connections[1].login_url" in problem for problem in problems(text))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8901", "http://localhost:1", "https://x.test/"])
def test_addresses_that_may_be_used(url: str) -> None:
    text = CONNECTION + f'cloud = "custom"\nlogin_url = "{url}"\ngraph_url = "{url}"'
    assert parse(text).connections[0].login_url == url.rstrip("/")


# --- a file from hell ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[worker]\nthreads = 3\nthreads = 4", 3),
        ("[worker]\nthreads =", 2),
        ("[worker", 1),
        ('[log]\n\nfile = "open', 3),
        ("a = '''\n\n", 3),
    ],
)
def test_syntax_errors_have_a_line(text: str, line: int) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"{line} file: this is not TOML")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "[" * 3_900,
        "a = " + "[\n" * 100_000,
        "a = " + "{b = " * 700,
        "a." * 400_000 + "b = 1",
        "a." * 1_900 + "b = 1",
        "a = " + "9" * 3_900,
        "\0" * 1000,
        "[[worker]]\nthreads = 3",
        "worker = 5",
        "connections = 5",
        "connections = [1, 2]",
        "rooms = {}",
        "[rooms]\nid = 1",
        "[database]\nurl = {a = 1}",
        "[worker]\nthreads = nan",
        "[guard]\nmax_share = nan",
        "[guard]\nmax_share = inf",
        "[worker]\npoll_floor = nan",
        "[worker]\npoll_floor = 1979-05-27",
        "[api]\nhost = [[[[[[]]]]]]",
        "[notices]\nkinds = [[], {}]",
        "[log]\nfile = '\\u0000'\nlevel = 3",
        '"\\u001b[2J" = 1',
        '[log]\nfile = "\\u001b[2J"',
    ],
)
def test_a_file_from_hell_gives_a_clear_error(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    shown = str(caught.value)
    assert len(shown) < 2000
    assert "\x1b" not in shown


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text("[]{}=\"'.#\n\\ ab1-", max_size=60))
def test_no_text_gives_anything_but_settings_or_a_settings_error(text: str) -> None:
    try:
        found: object = parse(text)
    except SettingsError as error:
        found = error
    assert isinstance(found, Settings) or (isinstance(found, SettingsError) and found.problems)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"\xff\xfe\x00binary", "not UTF-8"),
        (b"a = 1\n\x80", "not UTF-8"),
        (b"# " + b"x" * LARGEST, "larger than"),
    ],
)
def test_files_that_are_no_settings(tmp_path: Path, raw: bytes, what: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(raw)
    with pytest.raises(SettingsError, match=what):
        load(path)


def test_the_line_of_a_wrong_byte(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\n\na = '\xe4'")
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert caught.value.problems[0].line == 3


def test_no_file_a_folder_a_pipe(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no such file.*settings\.example"):
        load(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="not a file"):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="not a file"):
        load(tmp_path / "pipe")


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbf[api]\r\nhost = '''a\r\nb'''\r\nport = 0x1_0000\r\n")
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert [p.line for p in caught.value.problems] == [2, 4]


# --- lines -----------------------------------------------------------------------------------


def test_the_lines_of_keys_in_every_form_of_toml() -> None:
    lines = Lines(
        '''top = 1
# [not.a.table]
"quoted \\"key\\"" = "a # b ] }"
long = [
  1, # ]
  "]",
]
text = """
[fake]
x = 1
"""
'lit.eral' = \'\'\'
[also fake]
\'\'\'
a . b."c.d" = { e = 1, f = [
] }

  [t."u v".w]  # comment
  key = 'x'
[[list]]
n = 1
[list.sub]
m = 2
[[list]]
n = 3
last = 4'''
    )
    for path, line in {
        ("top",): 1,
        ('quoted "key"',): 3,
        ("long",): 4,
        ("text",): 8,
        ("lit.eral",): 12,
        ("a", "b", "c.d"): 15,
        ("a", "b", "c.d", "e"): 15,
        ("t", "u v", "w"): 18,
        ("t", "u v", "w", "key"): 19,
        ("list",): 20,
        ("list", 0, "n"): 21,
        ("list", 0, "sub", "m"): 23,
        ("list", 1): 24,
        ("list", 1, "n"): 25,
        ("list", 1, "last"): 26,
        ("fake", "x"): 0,
    }.items():
        assert lines.of(path) == line, path


_keys = st.text("abc", min_size=1, max_size=3)
_noise = st.sampled_from(
    [
        "# = [ ' \"\n",
        "\n",
        "  \t\n",
        'n{} = """\n[x]\n"""\n',
        "n{} = [\n'#]',\n]\n",
        "n{} = '''\n'''\n",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_keys, st.lists(_noise, max_size=3)), unique_by=lambda pair: pair[0]))
def test_a_key_is_found_in_its_line_whatever_stands_before_it(
    content: list[tuple[str, list[str]]],
) -> None:
    text, expected = "", {}
    for number, (key, noise) in enumerate(content):
        for index, piece in enumerate(noise):
            text += piece.format(f"{number}x{index}")
        expected[key] = text.count("\n") + 1
        text += f"{key} = {number}\n"
    lines = Lines(text)
    assert {key: lines.of((key,)) for key in expected} == expected


# --- secrets ---------------------------------------------------------------------------------


def test_a_secret_is_read_from_its_place(tmp_path: Path) -> None:
    assert SecretRef(env="S").read({"S": " hunter2\n"}) == "hunter2"
    file = tmp_path / "secret"
    file.write_text("hunter3\n")
    assert SecretRef(file=str(file)).read({}) == "hunter3"


@pytest.mark.parametrize("environ", [{}, {"S": "  "}])
def test_a_missing_variable_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="variable S is not set") as caught:
        SecretRef(env="S", where="connection main").read(environ)
    assert (caught.value.where, bool(caught.value.todo)) == ("connection main", True)


@pytest.mark.parametrize("raw", [None, b"", b"\xff\xfe"])
def test_a_secret_file_that_cannot_serve_is_named(tmp_path: Path, raw: bytes | None) -> None:
    file = tmp_path / "secret"
    if raw is not None:
        file.write_bytes(raw)
    with pytest.raises(UsageError, match=re.escape(str(file))):
        SecretRef(file=str(file)).read({})


def test_places_of_secrets_follow_the_credential() -> None:
    entry = Connection(name="a", tenant_id="t", client_id="c", client_secret_env="S")
    assert entry.client_secret is not None
    assert entry.certificate_password is None
    other = replace(
        entry, credential="certificate", certificate_file="x", certificate_password_env="P"
    )
    assert other.client_secret is None
    assert other.certificate_password is not None
    assert other.certificate_password.env == "P"
    federated = replace(entry, credential="federated", federated_token_file="/t")
    assert federated.federated_token is not None
    assert federated.federated_token.file == "/t"
