"""The system's resolver, for names that need no network."""

from collections.abc import Iterator

import pytest

from omnigent.outbound import SystemResolver


@pytest.fixture
def resolver() -> Iterator[SystemResolver]:
    resolver = SystemResolver(threads=1)
    yield resolver
    resolver.close()


async def test_a_known_name_gives_each_address_once(resolver: SystemResolver) -> None:
    found = await resolver("localhost", 443)

    assert "127.0.0.1" in found
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", ["a..b", f"{'a' * 64}.invalid"])
async def test_a_name_that_cannot_exist_is_an_error_of_the_system(
    resolver: SystemResolver, name: str
) -> None:
    with pytest.raises(OSError):
        await resolver(name, 443)
