"""The control side, `/_sandbox/…`: JSON, no login, loopback only. Everything else goes to the
front.

It is how a test or a demo makes the world, plays people, injects faults and reads the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from . import acts, backups, icsload, seeding
from .attendant import Processing
from .dump import instances, item_dump
from .ews import admin
from .ews.front import EwsFront
from .faults import KINDS, Fault
from .graph.calendar import parse_instant
from .graph.request import Request, Response, answer, take_apart
from .mailbox import Mailbox, Place
from .problems import Refusal
from .world import ALL_ROLES, App, World
from .zones import zone

if TYPE_CHECKING:
    from .graph.front import GraphFront

PREFIX = "/_sandbox/"
_ADMIN = ("backup", "restore", "remake", "rename", "migrate")


class Control:
    """The whole sandbox as one callable: control routes here, the rest by its two fronts."""

    def __init__(self, front: GraphFront, ews: EwsFront | None = None) -> None:
        self.front = front
        self.ews = ews or EwsFront(front)
        self.backups = backups.Backups(front.world)

    @property
    def world(self) -> World:
        """The world served."""
        return self.front.world

    def handle(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Answer one request."""
        if PREFIX not in target:
            front = self.ews if EwsFront.serves(target) else self.front
            return front.handle(method, target, headers or {}, body)
        self.world.settle()
        request = take_apart(method, target, headers or {}, body, self.front.base)
        try:
            return self._route(request)
        except Refusal as refusal:
            return answer(
                refusal.status, {"error": {"code": refusal.code, "message": refusal.message}}
            )
        except (ValueError, TypeError, KeyError) as error:
            return answer(400, {"error": {"code": "BadControlRequest", "message": str(error)}})

    def act(self, **raw: Any) -> dict[str, Any]:
        """A person's act, inline (what POST acts does)."""
        self.world.settle()
        return acts.perform(self.world, raw)

    def _route(self, request: Request) -> Response:
        parts = request.segments[request.segments.index("_sandbox") + 1 :]
        head = parts[0] if parts else ""
        if head in ("rooms", "mailboxes"):
            return self._rooms(request, parts[1:])
        plain: dict[tuple[str, str], Callable[[Request], object]] = {
            ("GET", "health"): self._health,
            ("POST", "seed"): self._seed,
            ("POST", "people"): self._people,
            ("POST", "acts"): lambda one: acts.perform(self.world, one.json()),
            ("POST", "log"): self._note,
            ("GET", "log"): lambda one: {"log": _since(self.world.log, one)},
            ("GET", "mails"): lambda one: {"mails": _since(self.world.mails, one)},
            ("GET", "switches"): lambda _: self.world.switches.show(),
            ("POST", "switches"): self._switch,
            ("PATCH", "switches"): self._switch,
            ("GET", "throttle"): lambda _: self.front.throttle.show(),
            ("POST", "throttle"): self._throttle,
            ("POST", "reset"): self._reset,
            ("POST", "clock"): self._clock,
            ("GET", "clock"): lambda _: {
                "now": self.world.iso(),
                "offset_s": self.world.offset.total_seconds(),
            },
            ("POST", "tenants"): self._tenant,
            ("POST", "apps"): self._app,
            ("POST", "tokens/expire"): self._expire,
            ("GET", "ews"): lambda _: admin.settings(self.ews, {}),
            ("POST", "ews"): lambda one: admin.settings(self.ews, one.json()),
            ("POST", "ews/accounts"): lambda one: admin.account(self.ews, one.json()),
            ("GET", "calls/log"): lambda one: {"calls": _since(self.front.calls, one)},
            ("GET", "calls"): lambda _: self._calls(),
            ("GET", "faults"): lambda _: self._faults(),
            ("POST", "faults"): self._arm,
            ("DELETE", "faults"): self._disarm,
        }
        name = "/".join(parts)
        if head == "faults":
            name = "faults"
        found = plain.get((request.method, name))
        if found is None:
            raise Refusal(
                404, "UnknownControl", f"no control route {request.method} {request.path}"
            )
        return answer(200, found(request))

    # -- the world --------------------------------------------------------------------------

    def _health(self, _: Request) -> dict[str, object]:
        return {
            "status": "ok",
            "now": self.world.iso(),
            "tenants": [
                {
                    "tenant": tenant.tenant_id,
                    "domain": tenant.domain,
                    "apps": sorted(tenant.apps),
                    "rooms": len(tenant.rooms()),
                    "mailboxes": len(tenant.boxes),
                }
                for tenant in self.world.tenants.values()
            ],
        }

    def _seed(self, request: Request) -> dict[str, object]:
        return seeding.seed(self.world, seeding.Plan(**request.json_or_empty()))

    def _people(self, request: Request) -> dict[str, object]:
        raw = request.json()
        tenant = self.world.tenant(raw.get("tenant"))
        address = str(raw["address"])
        home = zone(str(raw.get("zone", "UTC")), any_iana=True)
        box = self.world.add_mailbox(
            address,
            str(raw.get("name") or address.split("@")[0]),
            tenant=tenant,
            home=home,
            external=bool(raw.get("external")),
        )
        return {"address": box.address, "id": box.user_id}

    def _note(self, request: Request) -> dict[str, Any]:
        raw = request.json()
        kind, who = str(raw.pop("kind", "note")), str(raw.pop("who", "driver"))
        return self.world.note(
            who, kind, **{name: value for name, value in raw.items() if name not in ("n", "time")}
        )

    def _switch(self, request: Request) -> dict[str, object]:
        self.world.switches.set(request.json())
        return self.world.switches.show()

    def _throttle(self, request: Request) -> dict[str, object]:
        raw = request.json()
        throttle = self.front.throttle
        throttle.concurrent = int(raw.get("concurrent", throttle.concurrent))
        throttle.per_window = int(raw.get("per_window", throttle.per_window))
        throttle.retry_after_s = float(raw.get("retry_after_s", throttle.retry_after_s))
        return throttle.show()

    def _reset(self, request: Request) -> dict[str, object]:
        raw = request.json_or_empty()
        world = World(self.world.clock, int(raw.get("seed", self.world.seed)))
        self.front.__init__(world, base=self.front.base)  # type: ignore[misc]  # a fresh front that others keep holding
        self.ews.reset()
        self.backups = backups.Backups(world)
        return {"status": "reset", "seed": world.seed}

    def _clock(self, request: Request) -> dict[str, object]:
        self.world.offset = timedelta(seconds=float(request.json()["offset_s"]))
        self.world.settle()
        return {"now": self.world.iso(), "offset_s": self.world.offset.total_seconds()}

    def _tenant(self, request: Request) -> dict[str, object]:
        raw = request.json()
        tenant = self.world.add_tenant(
            str(raw["tenant"]), str(raw["domain"]), str(raw["client_id"]), str(raw["secret"])
        )
        return {"tenant": tenant.tenant_id, "domain": tenant.domain}

    def _app(self, request: Request) -> dict[str, object]:
        """Register an application or change one: secrets, roles, mailbox scope (null = all),
        token lifetime.
        """
        raw = request.json()
        tenant = self.world.tenant(raw.get("tenant"))
        client = str(raw.get("client_id") or next(iter(tenant.apps)))
        app = tenant.apps.setdefault(client, App(client, [], str(raw.get("name", "app"))))
        if "secrets" in raw:
            app.secrets = [str(one) for one in raw["secrets"]]
        if "roles" in raw:
            app.roles = ALL_ROLES if raw["roles"] is None else frozenset(raw["roles"])
        if "scope" in raw:
            app.scope = (
                None
                if raw["scope"] is None
                else frozenset(str(one).casefold() for one in raw["scope"])
            )
        if "token_lifetime_s" in raw:
            self.front.token_lifetime_s = int(raw["token_lifetime_s"])
        if "scope_denial" in raw:
            self.front.scope_denial = int(raw["scope_denial"])
        return {
            "client_id": app.client_id,
            "roles": sorted(app.roles),
            "scope": sorted(app.scope) if app.scope is not None else None,
            "token_lifetime_s": self.front.token_lifetime_s,
        }

    def _expire(self, _: Request) -> dict[str, object]:
        """Void every token handed out so far."""
        count = len(self.world.tokens)
        self.world.tokens.clear()
        return {"expired": count}

    # -- calls and faults -------------------------------------------------------------------

    def _calls(self) -> dict[str, object]:
        rows = [
            {
                "method": key[0],
                "operation": key[1],
                "mailbox": key[2],
                "status": key[3],
                "count": count,
            }
            for key, count in sorted(self.front.counts.items())
        ]
        throttled = sum(count for key, count in self.front.counts.items() if key[3] == 429)
        return {"total": sum(self.front.counts.values()), "throttled": throttled, "calls": rows}

    def _faults(self) -> dict[str, object]:
        faults = self.front.faults
        return {
            "faults": [one.show() for one in faults.armed],
            "fired": dict(faults.fired),
            "kinds": list(KINDS),
        }

    def _arm(self, request: Request) -> dict[str, object]:
        raw = request.json()
        armed = [self.front.faults.arm(Fault(**one)) for one in raw.get("faults", [raw])]
        return {"faults": [one.show() for one in armed]}

    def _disarm(self, request: Request) -> dict[str, object]:
        last = request.segments[-1]
        self.front.faults.clear(int(last) if last.isdigit() else None)
        return self._faults()

    # -- rooms ------------------------------------------------------------------------------

    def _rooms(self, request: Request, rest: list[str]) -> Response:
        if not rest:
            if request.method == "POST":
                return answer(201, self._add_room(request.json()))
            boxes = [box for tenant in self.world.tenants.values() for box in tenant.boxes.values()]
            rooms = request.segments[-1] == "rooms"
            return answer(
                200,
                {"value": [self._show(box) for box in boxes if (box.place is not None) == rooms]},
            )
        box = self.world.box(unquote(rest[0])) or self.world.user_ids.get(rest[0])
        if box is None:
            raise Refusal(404, "UnknownRoom", f"no mailbox {rest[0]}")
        if len(rest) == 1:
            if request.method == "PATCH":
                self._set_room(box, request.json())
            elif request.method == "DELETE":
                self.world.remove_mailbox(box)
                return answer(200, {"removed": box.address})
            return answer(200, self._show(box))
        if rest[1] == "instances":
            folded = {name.casefold(): value for name, value in request.query.items()}
            low, high = parse_instant(folded["start"]), parse_instant(folded["end"])
            return answer(
                200, {"value": instances(self.world, box, low, high, everything="all" in folded)}
            )
        if rest[1] == "items":
            return answer(200, {"value": [item_dump(box, item) for item in box.items.values()]})
        if rest[1] in _ADMIN and request.method == "POST":
            return answer(200, self._administer(box, rest[1], request.json_or_empty()))
        if rest[1] == "ics" and request.method == "POST":
            return answer(200, icsload.load(self.world, box, request.body).show())
        raise Refusal(404, "UnknownControl", f"no control route {request.path}")

    def _administer(self, box: Mailbox, what: str, raw: dict[str, Any]) -> dict[str, Any]:
        """Backup, restore, remake, rename, migrate: what an admin does to a whole mailbox."""
        name = str(raw.get("name", "backup"))
        if what == "backup":
            return self.backups.take(box, name)
        if what == "restore":
            ids, tokens = str(raw.get("ids", "same")), str(raw.get("tokens", "void"))
            return self.backups.restore(box, name, ids=ids, tokens=tokens)
        if what == "migrate":
            return self._show(backups.migrate(self.world, box, str(raw["to"])))
        if what == "remake":
            return self._show(backups.remake(self.world, box))
        return self._show(backups.rename(self.world, box, str(raw["address"])))

    def _add_room(self, raw: dict[str, Any]) -> dict[str, Any]:
        tenant = self.world.tenant(raw.get("tenant"))
        address = str(raw["address"])
        name = str(raw.get("name") or address.split("@")[0])
        home = zone(str(raw.get("zone", "UTC")), any_iana=True)
        box = self.world.add_mailbox(
            address, name, tenant=tenant, home=home, place=Place(self.world.uuid())
        )
        self._set_room(box, raw)
        return self._show(box)

    def _set_room(self, box: Mailbox, raw: Mapping[str, Any]) -> None:
        place = box.place or Place(self.world.uuid())
        names = {"building", "floor", "capacity", "label", "wheelchair", "booking_type", "hidden"}
        chosen = {name: raw[name] for name in names if name in raw}
        if "tags" in raw:
            chosen["tags"] = tuple(raw["tags"])
        processing = (box.processing or Processing()).changed(raw.get("processing") or {})
        home = zone(str(raw["zone"]), any_iana=True) if "zone" in raw else box.zone
        if box.place is not None:
            box.place, box.processing = replace(place, **chosen), processing
        box.zone = home
        box.name = str(raw.get("name") or box.name)
        box.enabled = bool(raw.get("enabled", box.enabled))
        if raw.get("home", box.home) not in backups.HOMES:
            raise ValueError(f"home is one of {', '.join(backups.HOMES)}")
        box.home = str(raw.get("home", box.home))
        building = chosen.get("building")
        if building:
            tenant = self.world.tenant(box.tenant_id)
            tenant.lists.setdefault(building, f"building-{len(tenant.lists) + 1}@{tenant.domain}")

    def _show(self, box: Mailbox) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "address": box.address,
            "name": box.name,
            "id": box.user_id,
            "tenant": box.tenant_id,
            "zone": box.zone.label,
            "enabled": box.enabled,
            "home": box.home,
            "items": len(box.items),
        }
        if box.place is not None and box.processing is not None:
            shown |= {
                "building": box.place.building,
                "floor": box.place.floor,
                "capacity": box.place.capacity,
            }
            shown |= {
                "placeId": box.place.place_id,
                "hidden": box.place.hidden,
                "processing": box.processing.show(),
            }
        return shown


def _since(lines: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    """Lines with n > since (n starts at 1), at most `limit`."""
    since = int(request.query.get("since", "0"))
    limit = int(request.query.get("limit", "0"))
    found = lines[max(0, since) :]
    return found[:limit] if limit else found
