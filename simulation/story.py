"""What happened, in order, and its hash: the same seed must give the same one."""

from __future__ import annotations

from hashlib import blake2b


class Story:
    """Lines for people, and a digest over all that is told or merely noted."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.step = 0
        self._digest = blake2b(digest_size=16)

    def tell(self, who: str, what: str) -> None:
        self.lines.append(f"{self.step:4} {who:9} {what}")
        self.note(who, what)

    def note(self, *words: object) -> None:
        self._digest.update(repr(words).encode("utf-8", "backslashreplace"))

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()
