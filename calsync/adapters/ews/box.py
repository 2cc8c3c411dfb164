"""One room's mailbox: the single requests that reading and writing are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from calsync.adapters.ews import requests
from calsync.adapters.ews.errors import Verdict, as_error, judge
from calsync.adapters.ews.requests import BATCH
from calsync.adapters.ews.transport import Server, messages_of, refusal_of
from calsync.adapters.ews.xml import (
    LEAVING,
    MADE,
    Element,
    Message,
    find,
    ids_of,
    items_of,
    read_item,
    text_of,
)
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.shared.seal import UID_AGAIN, UID_END, Mark, Seal, said_by_uid
from calsync.adapters.shared.theirs import mark_of
from calsync.adapters.wrap.port import Answer, Call, Caller
from calsync.errors import AccessDenied, BadAnswer, MailboxMissing, SideError
from calsync.mapping.event import TAG_PREFIX
from calsync.mapping.ews_item import GLOBAL_ID, MEETING, TAG, Value
from calsync.mapping.ews_uid import global_id_of
from calsync.model import Pair, Reaction
from calsync.pacing import chunks

#: How many items one tag or one meeting can have in a calendar: copies, dates held alone.
_MOST = 250
_MOST_PAGES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The mailbox of a pair, with what is needed to call it. ``now`` is aware UTC.

    ``subject_fallback``: the subject written where titles are not carried for the room.
    ``seal``: what makes a tag ours. ``at``: the mailbox of a person in which the meeting with the
    room lies, so that whoever is invited hears of writes; empty: the room's own.
    """

    caller: Caller
    server: Server
    pair: Pair
    now: datetime
    subject_fallback: str
    seal: Seal
    at: str = ""

    @property
    def mailbox(self) -> str:
        return self.at or self.pair.mailbox

    @property
    def counts_people(self) -> bool:
        """Whether the number of people of a meeting is asked for at all."""
        return self.pair.reactions.seats is not Reaction.NOTHING

    @property
    def place(self) -> Element:
        """The calendar, as a folder id of a request (one element for one request)."""
        return requests.folder(self.mailbox, impersonated=self.server.impersonate)

    def sealed(self, tag: str) -> str:
        """A tag as it stands on events of this mailbox."""
        return self.seal.close(self.mailbox, tag)

    def uid_of(self, tag: str, replaces: str) -> str:
        """The uid of the item that we make under this tag. A copy made in Outlook bears our
        extended property, too, and gets a uid of its own; who strips the property leaves the uid.
        """
        again = f"{UID_AGAIN}{replaces}" if replaces else ""
        return f"{TAG_PREFIX}{self.sealed(tag)}{again}{UID_END}"

    def named_in(self, uid: str) -> tuple[Mark, str] | None:
        """The tag that a uid of ours says, and what it replaces; None for any other uid."""
        return said_by_uid(uid, self.opened)

    def opened(self, sealed: str) -> Mark:
        """The tag, if it was made here for this mailbox."""
        return self.seal.open(self.mailbox, sealed)

    # -- reading ----------------------------------------------------------------------------

    def get(self, ids: Sequence[Element], *, operation: str) -> list[Message]:
        """Items in full, a message for each id in order. Raises where a whole request failed."""
        found: list[Message] = []
        for piece in chunks(ids, BATCH):
            payload = requests.get_items(
                piece, people=self.counts_people or bool(self.at), rooms=bool(self.at)
            )
            answer = self._ask("GetItem", payload, operation)
            messages = self.checked(answer)
            if len(messages) != len(piece):
                raise BadAnswer("the answer is not about the items asked for", where=self.mailbox)
            found += messages
        return found

    @property
    def bin(self) -> Element:
        """Deleted Items of the room."""
        return requests.folder(
            self.mailbox, impersonated=self.server.impersonate, name="deleteditems"
        )

    def discarded(self, tags: Sequence[str]) -> dict[str, list[str]]:
        """As ``tagged``, in Deleted Items. What may not be looked at there says nothing."""
        try:
            return self.tagged(tags, thrown_away=True)
        except (AccessDenied, MailboxMissing):
            return {}

    def tagged(self, tags: Sequence[str], *, thrown_away: bool = False) -> dict[str, list[str]]:
        """ItemIds of the items that bear these tags of ours, by tag: in the extended property, or
        in the uid they were made with."""
        found: dict[str, list[str]] = {}
        for piece in chunks(tags, BATCH):
            sealed = {self.sealed(tag): tag for tag in piece}
            named = {global_id_of(self.uid_of(tag, "")) or "": tag for tag in piece}
            tests = [(TAG, text) for text in sealed] + [(GLOBAL_ID, blob) for blob in named]
            for message in self._find(tests, self.bin if thrown_away else self.place):
                for item in items_of(message, "m:RootFolder", "t:Items"):
                    read = read_item(item)
                    tag = sealed.get(read.get(TAG, "")) or named.get(read.get(GLOBAL_ID, ""))
                    key = read.get("ItemId", {}).get("Id")
                    if tag is not None and isinstance(key, str) and key:
                        found.setdefault(tag, []).append(key)
        return found

    def makings(
        self, tags: Sequence[str], *, thrown_away: bool
    ) -> dict[str, list[tuple[str, str]]]:
        """Of items that were made under these tags, by tag: ItemId, and the request that made it.
        What bears our property alone is a copy; what calsync removed itself is left out."""
        place = self.bin if thrown_away else self.place
        found: dict[str, list[tuple[str, str]]] = {}
        for piece in chunks(tags, BATCH):
            named = {global_id_of(self.uid_of(tag, "")) or "": tag for tag in piece}
            tests = [(GLOBAL_ID, blob) for blob in named]
            for message in self._find(tests, place, also=(MADE, LEAVING)):
                for item in items_of(message, "m:RootFolder", "t:Items"):
                    read = read_item(item)
                    tag, made = named.get(read.get(GLOBAL_ID, "")), read.get(MADE, "")
                    key = read.get("ItemId", {}).get("Id")
                    if tag is not None and made and isinstance(key, str) and LEAVING not in read:
                        found.setdefault(tag, []).append((key, made))
        return found

    def of_bookings(self, uid: str) -> list[str]:
        """ItemIds of meetings made for bookings of this uid."""
        tests = [(MEETING, self.sealed(mark_of(uid)))]
        return [
            key
            for message in self._find(tests, self.place)
            for key in ids_of(message, "m:RootFolder", "t:Items")
        ]

    def of_meetings(self, uids: Sequence[str]) -> list[str]:
        """ItemIds of what belongs to these meetings: the identity that stays when an item is made
        anew, and that a date held alone shares with its series."""
        wanted = [one for uid in uids if (one := global_id_of(uid)) is not None]
        keys: dict[str, None] = {}
        for piece in chunks(wanted, BATCH):
            for message in self._find([(GLOBAL_ID, blob) for blob in piece], self.place):
                keys |= dict.fromkeys(ids_of(message, "m:RootFolder", "t:Items"))
        return list(keys)

    def answers(self) -> bool:
        """True where the calendar itself can be opened, and be read: the second check before
        "gone", because a right that was taken away shows as ErrorItemNotFound, too."""
        answer = self._ask("GetFolder", requests.get_folder(self.place), "probe")
        messages = messages_of(answer)
        if refusal_of(answer) is not None or len(messages) != 1 or not messages[0].good:
            return False
        folders = find(messages[0].element, "m:Folders")
        if folders is None or not len(folders):
            return False
        return text_of(folders[0], "t:EffectiveRights", "t:Read").lower() not in ("false", "0")

    def _find(
        self, tests: Sequence[tuple[str, str]], place: Element, also: Sequence[str] = ()
    ) -> tuple[Message, ...]:
        """All pages: a server that is busy, or whose policy says so (EWSFindCountLimit), gives less
        than was asked for, and what a look-up does not find would be made a second time."""
        found: list[Message] = []
        offset = 0
        for _ in range(_MOST_PAGES):
            payload = requests.find_items(place, tests, limit=_MOST, offset=offset, also=also)
            (page,) = self.ask("FindItem", payload, "find")[:1]
            found.append(page)
            listed = sum(1 for _ in items_of(page, "m:RootFolder", "t:Items"))
            root = find(page.element, "m:RootFolder")
            if root is None or root.get("IncludesLastItemInRange", "true") in ("true", "1"):
                return tuple(found)
            if not listed:
                break
            offset += listed
        raise BadAnswer("the pages of a look-up do not come to an end", where=self.mailbox)

    # -- writing ----------------------------------------------------------------------------

    def create(self, items: Sequence[Element]) -> Answer:
        payload = requests.create_items(self.place, items, tell=bool(self.at))
        return self._write("CreateItem", payload, "create event")

    def update(self, key: str, change_key: str, fields: Mapping[str, Value]) -> Answer:
        payload = requests.update_item(key, change_key, fields, tell=bool(self.at))
        return self._write("UpdateItem", payload, "change event")

    def touch(self, key: str, change_key: str) -> Answer:
        """A change that nobody sees, under the version that was decided on."""
        return self._write("UpdateItem", requests.touch_item(key, change_key), "touch event")

    def delete(self, keys: Sequence[str], change_key: str = "") -> Answer:
        """``change_key``: of a single item. That a server looks at it is not documented."""
        ids = [requests.item_id(key, change_key) for key in keys]
        payload = requests.delete_items(
            ids, recoverable=self.server.impersonate, tell=bool(self.at)
        )
        return self._write("DeleteItem", payload, "delete event")

    def decline(self, key: str, change_key: str, *, comment: str, tell: bool) -> Answer:
        payload = requests.decline(key, change_key, comment=comment, tell=tell)
        return self._write("CreateItem", payload, "decline event")

    # -- both -------------------------------------------------------------------------------

    def checked(self, answer: Answer, *, whole: bool = False) -> tuple[Message, ...]:
        """The messages of an answer; raises where the request as a whole was refused. ``whole``:
        also where the one message of it is no good."""
        verdict = refusal_of(answer)
        messages = messages_of(answer)
        if verdict is None and whole:
            verdict = next((judge(one) for one in messages if not one.good), None)
        if verdict is not None:
            raise as_error(verdict, self.mailbox)
        if not messages:
            raise BadAnswer("the answer has no messages", where=self.mailbox)
        return messages

    def ask(self, target: str, payload: Element, operation: str) -> tuple[Message, ...]:
        """A read that is one question: its messages, all good."""
        return self.checked(self._ask(target, payload, operation), whole=True)

    def _ask(self, target: str, payload: Element, operation: str) -> Answer:
        return self.caller.call(
            Call(
                method="GET",
                target=target,
                operation=operation,
                mailbox=self.mailbox,
                body={"soap": payload},
                repeatable=True,
            )
        )

    def _write(self, target: str, payload: Element, operation: str) -> Answer:
        return self.caller.call(
            Call(
                method="POST",
                target=target,
                operation=operation,
                mailbox=self.mailbox,
                body={"soap": payload},
            )
        )


def verdicts(answer: Answer, count: int) -> list[Verdict | None]:
    """What became of each of the items of a write, in order: None where it was done. Raises
    BadAnswer where the answer does not say."""
    whole = refusal_of(answer)
    if whole is not None:
        return [whole] * count
    messages = messages_of(answer)
    if len(messages) != count:
        raise BadAnswer("the answer is not about what was asked for")
    return [None if one.good else judge(one) for one in messages]


def is_gone(error: SideError | Verdict | None) -> bool:
    return isinstance(error, Verdict) and error.meaning is Meaning.GONE
