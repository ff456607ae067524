"""Search by name and by content, within bounds."""

from pathlib import Path

import pytest

from omnigent.workspace.root import Root
from omnigent.workspace.scanning import Bounds
from omnigent.workspace.search import Query, found_in
from tests.workspace.rig import do, names, refusal, repository


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path, content in {
        "src/Main.py": "import os\nGrüße = 1\n",
        "src/test_main.py": "assert main\n",
        "docs/main.md": "# Main\n",
        "node_modules/main/index.js": "main()\n",
        "data.bin": "main\x00main",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    (tmp_path / "src" / "loop").symlink_to("..")
    return tmp_path


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"q": "MAIN"},
            ["docs/main.md", "node_modules/main", "src/Main.py", "src/test_main.py"],
        ),
        ({"q": "main", "include": "*.py"}, ["src/Main.py", "src/test_main.py"]),
        ({"q": "main", "include": "*.py, **/*.md", "exclude": "test_*"}, ["docs/main.md", "src/Main.py"]),
        ({"q": "main", "exclude": "src/*,node_modules"}, ["docs/main.md", "node_modules/main"]),
        ({"q": "src/m"}, ["src/Main.py"]),
        ({"q": "*.js"}, ["node_modules/main/index.js"]),
        ({"q": "main", "path": "src"}, ["src/Main.py", "src/test_main.py"]),
        ({"q": "nothing"}, []),
    ],
    ids=str,
)
def test_files_are_found_by_name(tree: Path, fields: dict[str, str], expected: list[str]) -> None:
    answer = do(tree, "search", **({"path": ""} | fields))

    assert names(answer) == expected and answer["truncated"] is False
    assert answer["base"] == str(tree.resolve() / fields.get("path", ""))


def test_lines_are_found_by_content(tree: Path) -> None:
    answer = do(tree, "search", q="GRÜßE", mode="content")

    assert answer["data"] == [
        {
            "id": "src/Main.py:2",
            "object": "session.environment.search_match",
            "path": "src/Main.py",
            "line": 2,
            "text": "Grüße = 1",
        }
    ]
    found = do(tree, "search", q="main", mode="content", exclude="*.js")
    assert [row["id"] for row in found["data"]] == ["docs/main.md:1", "src/test_main.py:1"]


def test_of_a_long_line_the_part_with_the_text_is_shown(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("x" * 100_000 + "needle" + "y" * 100_000)

    row = do(tmp_path, "search", q="needle", mode="content")["data"][0]

    assert "needle" in row["text"] and len(row["text"]) == 500


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"q": ""}, 422),
        ({"q": "  "}, 422),
        ({}, 422),
        ({"q": 3}, 400),
        ({"q": "a", "limit": 0}, 400),
        ({"q": "a", "limit": 501}, 400),
        ({"q": "a", "mode": "meaning"}, 400),
        ({"q": "a", "path": "data.bin"}, 400),
    ],
    ids=str,
)
def test_a_search_that_makes_no_sense_is_refused(tree: Path, fields: dict[str, object], status: int) -> None:
    path = str(fields.pop("path", ""))

    assert refusal(tree, "search", path, **fields) == (status, "invalid_input")


def test_more_than_the_limit_is_cut_and_said(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"a{number:02d}").write_text("a\n" * 3)

    by_name = do(tmp_path, "search", q="a", limit=10)
    by_content = do(tmp_path, "search", q="a", limit=10, mode="content")

    assert (len(by_name["data"]), by_name["truncated"], by_name["has_more"]) == (10, True, True)
    assert (len(by_content["data"]), by_content["truncated"]) == (10, True)
    assert do(tmp_path, "search", q="a", limit=30)["truncated"] is False


def test_a_search_ends_at_its_bounds(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"dir{number}").mkdir()
        (tmp_path / f"dir{number}" / "needle").touch()
    seconds = iter(range(1000))
    with Root.opened(tmp_path.resolve()) as root:
        few = found_in(root, (), Query(text="needle"), Bounds(entries=60))
        late = found_in(root, (), Query(text="needle"), Bounds(seconds=70, now=lambda: next(seconds)))

    assert 0 < len(few["data"]) < 50 and few["truncated"]
    assert len(late["data"]) < 50 and late["truncated"]


def test_what_git_keeps_is_not_searched(tmp_path: Path) -> None:
    repository(tmp_path, a="needle\n")

    assert names(do(tmp_path, "search", q="HEAD")) == []
    assert [row["path"] for row in do(tmp_path, "search", q="needle", mode="content")["data"]] == ["a"]
