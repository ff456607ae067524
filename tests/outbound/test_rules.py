"""The operator's allow-list, and names whose addresses are looked up."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from omnigent.outbound import Guard, NotReached, OutboundRules, Refused

# (address, listed, permitted): every row as the answer for the host policy.internal.
LISTED = [
    ("10.1.2.3", ["10.0.0.0/8"], True),
    ("10.1.2.3", ["10.1.2.3"], True),
    ("10.1.2.3", ["10.1.2.4"], False),
    ("10.1.2.3", ["policy.internal"], True),
    ("10.1.2.3", ["Policy.Internal"], True),
    ("10.1.2.3", ["internal"], False),
    ("10.1.2.3", ["other.internal"], False),
    ("127.0.0.1", ["policy.internal"], True),
    ("::1", ["policy.internal"], True),
    ("fd12::1", ["policy.internal"], True),
    ("fd12::1", ["fd12::/16"], True),
    ("100.64.0.9", ["policy.internal"], True),
    ("169.254.169.254", ["policy.internal"], False),
    ("169.254.169.254", ["169.254.0.0/16"], False),
    ("169.254.169.254", ["169.254.169.254"], True),
    ("169.254.3.4", ["policy.internal"], False),
    ("169.254.3.4", ["169.254.0.0/16"], True),
    ("168.63.129.16", ["policy.internal"], False),
    ("fd00:ec2::254", ["fd00::/8"], False),
    ("0.0.0.0", ["policy.internal"], False),
    ("224.0.0.1", ["policy.internal"], False),
    ("::ffff:10.1.2.3", ["10.0.0.0/8", "policy.internal"], False),
    ("::ffff:10.1.2.3", ["::ffff:0:0/96"], False),
    ("64:ff9b::8.8.8.8", ["64:ff9b::/96"], True),
    ("64:ff9b::10.1.2.3", ["64:ff9b::/96"], False),
    ("64:ff9b::10.1.2.3", ["64:ff9b::/96", "10.0.0.0/8"], True),
    ("64:ff9b::169.254.169.254", ["64:ff9b::/96", "169.254.0.0/16"], False),
    ("fe80::1%eth0", ["fe80::/10"], False),
]


def guard(answers: Sequence[str], *allowed: str) -> Guard:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return answers

    return Guard(OutboundRules.parse(allowed), resolver)


@pytest.mark.parametrize(("address", "listed", "permitted"), LISTED)
def test_the_allow_list_opens_what_it_names_and_nothing_more(
    address: str, listed: list[str], permitted: bool
) -> None:
    assert OutboundRules.parse(listed).permit(ip_address(address), "policy.internal") is permitted


@pytest.mark.parametrize(
    "entry",
    ["", "0.0.0.0/0", "::/0", "10.0.0.1/8", "10.0.0.0/33", "https://policy.internal", "*.internal", "127.1"],
)
def test_an_entry_that_is_unclear_or_opens_everything_is_refused_in_words(entry: str) -> None:
    with pytest.raises(ValueError, match=r"neither|every address"):
        OutboundRules.parse([entry])


def test_a_port_outside_the_range_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="no such port: 65536"):
        OutboundRules.parse(ports=[443, 65536])


def test_only_listed_ports_are_used() -> None:
    rules = OutboundRules.parse(ports=[8443])

    assert Guard(rules, silent_resolver).check_url("https://policy.example:8443/").port == 8443
    with pytest.raises(Refused, match="port 443 is not allowed"):
        Guard(rules, silent_resolver).check_url("https://policy.example/")


async def test_a_name_with_only_public_addresses_gives_all_of_them_in_order() -> None:
    found = await guard(["2606:4700::1111", "1.1.1.1"]).addresses_of("policy.example", 443)

    assert [str(address) for address in found] == ["2606:4700::1111", "1.1.1.1"]


@pytest.mark.parametrize("inner", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1%eth0"])
@pytest.mark.parametrize("position", [0, 1, 5])
async def test_one_address_that_is_not_public_refuses_the_whole_name(inner: str, position: int) -> None:
    answers = ["1.1.1.1"] * 5
    answers.insert(position, inner)

    with pytest.raises(Refused, match=r"'policy\.example' leads to") as refusal:
        await guard(answers).addresses_of("policy.example", 443)
    assert inner not in str(refusal.value)


async def test_a_name_that_is_listed_leaves_other_names_closed() -> None:
    rules = guard(["10.0.0.1"], "policy.internal")

    assert len(await rules.addresses_of("policy.internal", 443)) == 1
    with pytest.raises(Refused):
        await rules.addresses_of("policy.example", 443)


async def test_a_name_without_an_address_is_not_reached() -> None:
    with pytest.raises(NotReached, match=r"'policy\.example' has no address"):
        await guard([]).addresses_of("policy.example", 443)


async def test_a_failing_look_up_is_not_reached() -> None:
    async def fails(host: str, port: int) -> Sequence[str]:
        raise OSError("name server gone")

    with pytest.raises(NotReached, match=r"'policy\.example' has no address"):
        await Guard(OutboundRules(), fails).addresses_of("policy.example", 443)


async def test_an_answer_that_is_no_address_is_refused() -> None:
    with pytest.raises(Refused, match="unreadable"):
        await guard(["127.1"]).addresses_of("policy.example", 443)


async def silent_resolver(host: str, port: int) -> Sequence[str]:
    return ()
