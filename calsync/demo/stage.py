"""The processes of a demo: a sandbox tenant, and the real ``calsync serve`` on a fresh database.

Both run in sessions of their own, so that a Ctrl-C reaches this process alone, which then ends
them in order: ``calsync serve`` by SIGTERM first, as an init system would.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from calsync.demo.clients import Platform, Sandbox
from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER
from calsync.sandbox.wishes import RoomFacts

SENDER = "calsync@contoso.example"
SECRET, PASSWORD = "CALSYNC_DEMOSECRET", "CALSYNC_DEMOPASSWORD"
#: Exchange Online by Graph, an Exchange Server by EWS, or some rooms on each, and some on the move.
#: Mail leaves by Graph.
EXCHANGES = ("graph", "ews", "hybrid")
ONLINE, ON_PREMISES = "sandbox", "onprem"
START_S = 60.0
_STOP_S = 10.0
#: Windows and IANA names of the zones the rooms stand in.
ZONES = (
    ("W. Europe Standard Time", "Europe/Berlin"),
    ("GMT Standard Time", "Europe/London"),
    ("Eastern Standard Time", "America/New_York"),
    ("India Standard Time", "Asia/Kolkata"),
)
#: What keeps the subject of a meeting in the room's calendar (Set-CalendarProcessing).
KEEPS_TITLES = {"DeleteSubject": False, "AddOrganizerToSubject": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """How large the company is. Polls in seconds; ``faults``: share of calls answered by 429.
    ``port``: of calsync's API, 0 = any free one. ``exchange``: one of ``EXCHANGES``: where the
    rooms are."""

    seed: int
    rooms: int
    events_per_room: int = 4
    poll_floor: float = 1.0
    poll_ceiling: float = 2.0
    faults: float = 0.0
    port: int = 0
    exchange: str = "graph"


class StageError(RuntimeError):
    """A process of the demo did not start, or died."""


class Stage:
    """Both processes, up and ready inside the ``with`` block; all gone after it."""

    def __init__(self, cast: Cast, keep: Path | None = None) -> None:
        self.cast = cast
        self.keep = keep
        self.rooms: list[RoomFacts] = []
        self.persons: list[str] = []
        self._ends = ExitStack()
        self._running: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        try:
            self.folder = self._folder().resolve()
            self.facts = self._start_sandbox()
            self.sandbox = self.open_sandbox()
            self._furnish()
            self.settings = self._write_settings()
            self.token = self._make_token()
            return self
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process, whatever happened; ``serve`` first, by SIGTERM."""
        with _deaf():
            self.stop("serve")
            self.stop("sandbox")
            self._ends.close()

    def _folder(self) -> Path:
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            if (self.keep / "calsync.db").exists():
                raise StageError(f"{self.keep} holds a database already; name an empty folder")
            return self.keep
        return Path(self._ends.enter_context(tempfile.TemporaryDirectory(prefix="calsync-demo-")))

    @property
    def database(self) -> Path:
        return self.folder / "calsync.db"

    # -- processes --------------------------------------------------------------------------

    def _spawn(self, name: str, arguments: list[str]) -> dict[str, Any]:
        """Start a process that prints one line of JSON once it is ready."""
        log = self._open(self.folder / f"{name}.log")
        secret = getattr(self, "facts", {}).get("client_secret", "")
        environment = {**os.environ, SECRET: secret, PASSWORD: DEFAULT_PASSWORD}
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self._running[name] = process
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_S)
        line = process.stdout.readline() if ready else "it said nothing. "
        try:
            facts: dict[str, Any] = json.loads(line)
        except ValueError:
            raise StageError(f"{name} did not start: {line}{self.log_of(name)}") from None
        return facts

    def _open(self, path: Path) -> IO[str]:
        # Appended to: a process that is started again tells its story below the former one's.
        return self._ends.enter_context(path.open("a", encoding="utf-8"))

    def log_of(self, name: str) -> str:
        """The end of what a process wrote to its log."""
        path = self.folder / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-2000:] if path.exists() else ""

    def stop(self, name: str) -> float:
        """SIGTERM, then SIGKILL after a while. Seconds it took; 0 where it did not run."""
        process = self._running.pop(name, None)
        if process is None:
            return 0.0
        begun = time.monotonic()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return time.monotonic() - begun

    def check(self) -> None:
        """Raises StageError where a process died."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise StageError(f"{name} died ({process.returncode}): {self.log_of(name)}")

    def _start_sandbox(self) -> dict[str, Any]:
        return self._spawn(
            "sandbox",
            ["calsync.sandbox", "--rooms", "0", "--people", "0", "--seed", str(self.cast.seed)],
        )

    def serve(self) -> None:
        """Start ``calsync serve``; it listens when this returns."""
        ready = self._spawn(
            "serve", ["calsync.cli.main", "serve", "--settings", str(self.settings), "--json"]
        )
        self.api = str(ready["url"])
        self.platform = self.open_platform()
        until = time.monotonic() + START_S
        while True:
            self.check()
            try:
                if self.platform.call("GET", "/v1/rooms").ok:
                    return
            except OSError:  # requests' errors are OSErrors
                pass
            if time.monotonic() > until:
                raise StageError(f"the API does not answer: {self.log_of('serve')}")
            time.sleep(0.1)

    def gateway(self) -> str:
        """Where calsync finds the tenant."""
        return str(self.facts["url"])

    def open_sandbox(self) -> Sandbox:
        """A client for one more thread."""
        client = Sandbox(str(self.facts["url"]))
        self._ends.callback(client.close)
        return client

    def open_platform(self) -> Platform:
        """A client for one more thread."""
        client = Platform(self.api, token=self.token)
        self._ends.callback(client.close)
        return client

    def move_mailboxes(self) -> int:
        """An admin of Exchange moves every other mailbox of the server to the cloud, while people
        work and calsync runs. How many."""
        if self.cast.exchange != "hybrid":
            return 0
        there = [room for n, room in enumerate(self.rooms) if _home("hybrid", n) == ON_PREMISES]
        for room in there[::2]:
            self.sandbox.control("POST", f"rooms/{room.mailbox}/migrate", {"to": "cloud"})
        return len(there[::2])

    # -- the company ------------------------------------------------------------------------

    def _furnish(self) -> None:
        """Rooms in several zones, some that keep titles, people, and meetings from before."""
        cast = self.cast
        for number, (label, iana) in enumerate(ZONES):
            share = len(range(number, cast.rooms, len(ZONES)))
            made = self.sandbox.control(
                "POST",
                "seed",
                {
                    "rooms": share,
                    "people": 4,
                    "buildings": 2,
                    "events_per_room": cast.events_per_room,
                    "series_share": 0.3,
                    "seed": cast.seed * len(ZONES) + number,
                    "zone": label,
                },
            )
            self.persons += made["people"]
            for mailbox in made["rooms"]:
                titles = len(self.rooms) % 2 == 1
                self.rooms.append(
                    RoomFacts(mailbox.partition("@")[0], mailbox, iana, label, titles)
                )
        for number, room in enumerate(self.rooms):
            home = "cloud" if _home(cast.exchange, number) == ONLINE else "onprem"
            self.sandbox.control("PATCH", f"rooms/{room.mailbox}", {"home": home})
            if room.titles:
                self.sandbox.control("PATCH", f"rooms/{room.mailbox}", {"processing": KEEPS_TITLES})
        self.sandbox.control("POST", "people", {"address": SENDER, "name": "Rooms"})
        if cast.faults:
            self.sandbox.control(
                "POST",
                "faults",
                {"kind": "throttled", "rate": cast.faults, "params": {"seconds": 1}},
            )

    def _write_settings(self) -> Path:
        facts, cast = self.facts, self.cast
        shown = {one["address"]: one for one in self.sandbox.control("GET", "rooms")["value"]}
        lines = [
            f"[database]\nurl = {_quoted(f'sqlite:///{self.database}')}",
            f'[api]\nhost = "127.0.0.1"\nport = {cast.port}\nrequests_per_minute = 0',
            f"[worker]\npoll_floor = {cast.poll_floor}\npoll_ceiling = {cast.poll_ceiling}",
            # People act in seconds as others do in weeks, and no admin is there to be asked.
            "[guard]\nmax_deletions = 100\nmax_writes_per_booking = 1000"
            "\nmax_writes_per_room = 100000",
            # The judge counts the answers that people are owed.
            f"[notices]\nenabled = true\nsender = {_quoted(SENDER)}"
            '\nkinds = ["confirmed", "rejected"]',
            f'[[connections]]\nname = "{ONLINE}"\ntenant_id = {_quoted(facts["tenant"])}\n'
            f'client_id = {_quoted(facts["client_id"])}\ncloud = "custom"\n'
            f"login_url = {_quoted(self.gateway())}\ngraph_url = {_quoted(self.gateway())}\n"
            f'credential = "secret"\nclient_secret_env = "{SECRET}"',
        ]
        if cast.exchange != "graph":
            lines.append(
                f'[[connections]]\nname = "{ON_PREMISES}"\nkind = "ews"\n'
                f'endpoint = "{self.gateway()}/EWS/Exchange.asmx"\nauth = "basic"\n'
                f"user = {_quoted(f'{DEFAULT_USER}@contoso.example')}\n"
                f'password_env = "{PASSWORD}"'
                + (f'\nmoves_to = "{ONLINE}"' if cast.exchange == "hybrid" else "")
            )
        for number, room in enumerate(self.rooms):
            place = shown[room.mailbox]
            lines.append(
                f"[[rooms]]\nid = {_quoted(room.id)}\nname = {_quoted(place['name'])}\n"
                f"zone = {_quoted(room.zone)}\nbuilding = {_quoted(place['building'] or '')}\n"
                f"floor = {_quoted(str(place['floor'] or ''))}\ncapacity = {place['capacity']}\n"
                f"mailbox = {_quoted(room.mailbox)}\ntitles = {str(room.titles).lower()}\n"
                f"connection = {_quoted(_home(cast.exchange, number))}"
            )
        path = self.folder / "calsync.toml"
        path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
        return path

    def _make_token(self) -> str:
        command = ["calsync.cli.main", "tokens", "create", "demo"]
        done = subprocess.run(
            [sys.executable, "-m", *command, "--settings", str(self.settings), "--json"],
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        if done.returncode:
            raise StageError(f"no API token: {done.stdout}{done.stderr}")
        return str(json.loads(done.stdout)["token"])


@contextmanager
def _deaf() -> Iterator[None]:
    """A second Ctrl-C must not keep the processes from being ended."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    try:
        old = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    except ValueError:  # not on the main thread: no signal arrives here
        old = {}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _home(exchange: str, number: int) -> str:
    """Through which connection the n-th room is reached; by turns in a hybrid company, so that
    rooms of each zone, with titles and without, are on either."""
    by_ews = exchange == "ews" or (exchange == "hybrid" and number // len(ZONES) % 2 == number % 2)
    return ON_PREMISES if by_ews else ONLINE


def _quoted(text: object) -> str:
    """A TOML basic string; JSON's form is one."""
    return json.dumps(str(text))
