"""The skills that a bundle carries."""

import pytest

from omnigent.spec import parse_spec
from tests.spec.documents import directory


def test_skills_are_read_from_their_front_matter() -> None:
    files = {
        "skills/review/SKILL.md": b"---\nname: Review It\ndescription: Looks: closely\n---\nBody",
        "skills/team/hidden/SKILL.md": b"---\r\nname: hidden\r\ndescription: d\nuser-invocable: no\n---\r",
        "skills/a/b/c/SKILL.md": b"not looked at",
        "skills/Bad Dir/SKILL.md": b"---\nname: named\ndescription: d\n---\n",
    }
    spec = parse_spec(directory(), files)

    assert [(skill.name, skill.path) for skill in spec.skills] == [
        ("named", "skills/Bad Dir"), ("review", "skills/review"), ("hidden", "skills/team/hidden"),
    ]  # fmt: skip
    assert spec.public()["skills"] == [
        {"name": "named", "description": "d", "display_name": None},
        {"name": "review", "description": "Looks: closely", "display_name": "Review It"},
    ]


@pytest.mark.parametrize(
    ("written", "invocable"),
    [
        ("false", False),
        ("no", False),
        ("off", False),
        ("0", False),
        ("'No'", False),
        ("true", True),
        ("yes", True),
    ],
)
def test_a_skill_may_be_for_the_model_alone(written: str, invocable: bool) -> None:
    text = f"---\nname: s\ndescription: d\nuser-invocable: {written}\n---\n"

    spec = parse_spec(directory(), {"skills/s/SKILL.md": text.encode()})

    assert [skill.user_invocable for skill in spec.skills] == [invocable]
    assert len(spec.public()["skills"]) == invocable


@pytest.mark.parametrize(
    ("written", "expected"),
    [(None, "all"), ("all", "all"), ("none", "none"), ([], ()), (["a", "b"], ("a", "b"))],
    ids=["absent", "all", "none", "empty", "names"],
)
def test_the_filter_is_about_the_skills_of_the_host(written: object, expected: object) -> None:
    files = {"skills/mine/SKILL.md": b"---\nname: mine\ndescription: d\n---\n"}

    spec = parse_spec(directory(skills=written), files)

    assert spec.host_skills == expected
    assert [skill.name for skill in spec.skills] == ["mine"]
