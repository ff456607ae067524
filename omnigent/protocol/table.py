"""A closed set of dataclasses told apart by one member: `kind` of a frame, `type` of an event."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from omnigent.protocol import codec
from omnigent.protocol.codec import FrameError

T = TypeVar("T")


class Table(Generic[T]):
    """Reads and writes the members of a family. Each class names its tag's value in a class variable."""

    def __init__(self, tag: str, classes: Iterable[type[T]], *, unknown: type[FrameError]) -> None:
        self.tag = tag
        self.unknown = unknown
        by_tag = {str(getattr(cls, tag)): cls for cls in classes}
        self.classes: Mapping[str, type[T]] = MappingProxyType(by_tag)

    def load(self, value: Any) -> T:
        """The instance that a decoded JSON value describes. Raises FrameError, for unknown tags `unknown`."""
        if not isinstance(value, Mapping):
            raise FrameError("must be an object")
        name = value.get(self.tag)
        if not isinstance(name, str):
            raise FrameError(f"{self.tag}: must be a string")
        cls = self.classes.get(name)
        if cls is None:
            raise self.unknown(f"unknown {self.tag} {name[:100]!r}")
        try:
            return codec.load(cls, value)
        except FrameError as error:
            raise FrameError(f"{name}: {error}") from None

    def dump(self, obj: T) -> dict[str, Any]:
        """The JSON object of an instance, its tag first."""
        return {self.tag: getattr(obj, self.tag), **codec.dump(obj)}

    def parse(self, text: str | bytes) -> T:
        """`load` of JSON text."""
        return self.load(codec.decode(text))

    def encode(self, obj: T) -> bytes:
        """Compact JSON text of an instance. Raises FrameError when it holds what JSON cannot say."""
        return codec.encode({self.tag: getattr(obj, self.tag), **codec.dump(obj)})
