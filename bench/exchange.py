"""The EWS side beside exchangelib reading the same items: bare, with as many threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from exchangelib import IMPERSONATION, Account, Configuration, Credentials
from exchangelib.transport import BASIC
from exchangelib.version import EXCHANGE_2019, Version

from bench.ours import Ours, check
from bench.tenant import Tenant

THREADS = 8
IDLE_PASSES = 3
#: What sync compares, by exchangelib's names.
FIELDS = (
    "subject", "sensitivity", "datetime_created", "last_modified_time", "uid", "start", "end",
    "is_all_day", "legacy_free_busy_status", "is_cancelled", "type", "my_response_type",
    "organizer", "appointment_state", "recurrence", "modified_occurrences", "deleted_occurrences",
)  # fmt: skip


def bare_import(tenant: Tenant, _: Path) -> dict[str, Any]:
    """Every item of every room: ids by SyncFolderItems, the items by GetItem."""
    config = Configuration(
        credentials=Credentials(tenant.ews_user, tenant.ews_password),
        service_endpoint=tenant.ews_url,
        auth_type=BASIC,
        version=Version(EXCHANGE_2019),
        max_connections=THREADS,
    )

    def read(room: str) -> int:
        account = Account(
            room, config=config, autodiscover=False, access_type=IMPERSONATION, locale="en"
        )
        found = account.calendar.sync_items(only_fields=["id"], max_changes_returned=512)
        ids = [(item.id, item.changekey) for _, item in found]
        items = list(account.fetch(ids, only_fields=FIELDS, chunk_size=20))
        parts = [
            (one.id, one.changekey)
            for item in items
            for one in getattr(item, "modified_occurrences", None) or ()
        ]
        return len(items) + len(list(account.fetch(parts, only_fields=FIELDS, chunk_size=20)))

    rooms = [room["emailAddress"] for room in tenant.rooms()]
    with ThreadPoolExecutor(THREADS) as pool:
        wall, cpu = time.perf_counter(), time.process_time()
        rows = sum(pool.map(read, rooms))
        return {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "rows": rows,
        }


def our_import(tenant: Tenant, folder: Path) -> dict[str, Any]:
    """The first import, and what an idle pass of all rooms costs after it."""
    ours = Ours(tenant, folder / "ews.db", THREADS, kind="ews")
    reports, wall, cpu = ours.one_pass()
    did = check(reports)
    check(ours.one_pass()[0])
    before = _counted(tenant)
    effects = sum(check(ours.one_pass()[0])["effects"] for _ in range(IDLE_PASSES))
    after = _counted(tenant)
    ours.close()
    calls = {name: after[name] - before.get(name, 0) for name in after}
    idle = {name: count for name, count in calls.items() if count}
    return {
        "wall": wall,
        "cpu": cpu,
        **did,
        "idle_calls_a_room": sum(idle.values()) / ours.rooms / IDLE_PASSES,
        "idle_operations": sorted(idle),
        "idle_writes": effects
        + sum(idle.get(name, 0) for name in ("CreateItem", "UpdateItem", "DeleteItem")),
    }


def _counted(tenant: Tenant) -> dict[str, int]:
    """Requests of EWS so far, by operation."""
    found: dict[str, int] = {}
    for one in tenant.calls()["calls"]:
        if str(one["operation"]).startswith("EWS "):
            found[one["method"]] = found.get(one["method"], 0) + int(one["count"])
    return found
