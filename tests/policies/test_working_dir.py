"""Whether a command leaves the working directory, in every way a shell has for it."""

from typing import Any

import pytest

from omnigent.policies.builtins.working_dir import POLICY_REGISTRY, block_working_dir_changes
from omnigent.policies.calls import Handler
from omnigent.policies.loading import load
from omnigent.policies.registry import build_registry
from tests.policies.events import request, shell, tool_call


def result_of(handler: Handler, event: dict[str, Any]) -> str:
    """The verdict of one policy; no opinion lets pass."""
    answer = handler(event)
    return "ALLOW" if answer is None else answer["result"]


CHANGES = [
    *("cd /", "cd", "cd src", "cd -", "cd ~", "cd $X", "chdir /", "pushd /", "pushd", "popd", "pushd +1"),
    *("git -C / log", "git --work-tree / status", "git --work-tree=/ status", "git -c a.b=c -C / log"),
]
WORKTREES = [
    *(
        "git worktree add ../x",
        "git worktree move a b",
        "git worktree remove x",
        "git -c a.b=c worktree add x",
    ),
    *("sudo git worktree add x", "git worktree --x add y", "git worktree $X", "doas git worktree add x"),
    *("git -c alias.w='worktree add' w", "git submodule foreach 'git worktree add x'", "git $X"),
    *("find . -exec git worktree add x \\;", "bash -c 'git worktree add x'"),
]
CHANGES_IN_DISGUISE = [
    *(
        "c\\d /",
        "'c'd /",
        '"cd" /',
        "true & cd /",
        "true\ncd /",
        "true | cd /",
        "false || cd /",
        "(cd /; ls)",
    ),
    *("{ cd /; }", "if true; then cd /; fi", "while :; do cd /; done", "f() { cd /; }; f", "! cd /"),
    *(
        "A=1 cd /",
        "time cd /",
        "command cd /",
        "builtin cd /",
        "timeout 5 cd /",
        "env -C / ls",
        "env A=1 -C / ls",
    ),
    *("env --chdir=/ ls", "sudo -D / ls", "sudo -u root --chdir=/ ls", "GIT_WORK_TREE=/ git status"),
    *("export GIT_WORK_TREE=/", "bash -c 'cd /'", "bash -lic 'cd /'", "sh -c \"sh -c 'cd /'\"", "eval cd /"),
    *(
        "env -S 'bash -c \"cd /\"'",
        "doas git -C / log",
        "/usr/bin/git -C / log",
        "alias c='cd /'",
        "trap 'cd /' EXIT",
    ),
    *("flock x sh -c 'cd /'", "find . -execdir git -C / log \\;", "xargs git -C / log", "watch 'cd / && ls'"),
    *("python -c 'import os; os.chdir(1)'", "=cd /"),
]
UNREADABLE = [
    *("ls $(pwd)", "ls `pwd`", "$(echo cd) /", "ls # comment", "cd \\\n/", "c\\\nd /", "cat <<EOF\nhi\nEOF"),
    *(
        "cat <<< x",
        "$'\\x63d' /",
        'echo $"x"',
        "X=cd; $X /",
        "c${x}d /",
        "/bin/c? /",
        "eval $X",
        "cd 'a",
        'cd "/',
    ),
    'sh -c "sh -c \\"sh -c \'sh -c \\\\\\"sh -c \'ls\'\\\\\\"\'\\""',
]
HARMLESS = [
    *(
        "",
        "ls -la",
        "git status",
        "git worktree list",
        "git worktree prune",
        "git log -C",
        "python x.py",
        "make",
    ),
    *(
        "find . -name x",
        "echo cd /",
        "echo 'a",
        "git commit -m 'cd /; git worktree add x'",
        "env ls -C",
        "sh x.sh",
    ),
    *("sudo tar -C /x -xf a", ". venv/bin/activate", "cat cd.txt", "bash -c 'ls'", "timeout 5 pytest -q"),
]
ALLOWED = [
    *(
        "cd /proj",
        "cd /proj/",
        "cd /proj/a/../b",
        "cd /proj/./a",
        "cd src",
        "cd ./src/a",
        "cd -P src",
        "cd -- src",
    ),
    *(
        "pushd /proj/a",
        "git -C /proj log",
        "git -C src/a log",
        "git --work-tree=/proj status",
        "cd '/proj/a b'",
    ),
    *("bash -c 'cd /proj && ls'", "cd /proj && git -C /proj/a log"),
]
NOT_ALLOWED = [
    *(
        "cd",
        "cd -",
        "popd",
        "pushd +1",
        "cd /workspace",
        "cd /proj/../etc",
        "cd /",
        "cd ..",
        "cd src/../..",
        "cd srcs",
    ),
    *(
        "cd ~",
        "cd ~/../src",
        "cd /proj/$X",
        "cd /proj/{a,../..}",
        "cd src*",
        "cd a b",
        "cd src src",
        "cd -- -x",
    ),
    *("cd /proj; cd /etc", "CDPATH=/ cd src", "export CD'PATH'=/; cd src", "git -C /proj -C / log", "git -C"),
    *("git --work-tree /etc status", "git worktree add /proj/x", "cd $(cat x)", "cd '/proj'$X"),
]


@pytest.mark.parametrize("command", [*CHANGES, *CHANGES_IN_DISGUISE, *WORKTREES, *UNREADABLE])
def test_a_command_that_may_leave_is_denied_or_asked_about(command: str) -> None:
    assert result_of(block_working_dir_changes(), shell(command)) == "DENY"
    assert result_of(block_working_dir_changes(action="ask"), shell(command)) == "ASK"


@pytest.mark.parametrize("command", HARMLESS)
def test_a_command_that_stays_passes(command: str) -> None:
    assert result_of(block_working_dir_changes(), shell(command)) == "ALLOW"


@pytest.mark.parametrize("command", ALLOWED)
def test_an_allowed_directory_and_all_below_it_may_be_entered(command: str) -> None:
    assert result_of(block_working_dir_changes(allowed_dirs=["/proj/", "src"]), shell(command)) == "ALLOW"


@pytest.mark.parametrize("command", NOT_ALLOWED)
def test_nothing_but_the_allowed_directories_may_be_entered(command: str) -> None:
    assert result_of(block_working_dir_changes(allowed_dirs=["/proj", "src"]), shell(command)) == "DENY"


def test_the_working_directory_itself_can_be_allowed() -> None:
    gate = block_working_dir_changes(allowed_dirs=["."])

    assert result_of(gate, shell("cd a/b")) == "ALLOW"
    assert result_of(gate, shell("cd ..")) == "DENY"
    assert result_of(gate, shell("cd ~/a")) == "DENY"
    assert result_of(gate, shell("cd -")) == "DENY"


@pytest.mark.parametrize("command", CHANGES)
def test_directories_are_free_when_only_worktrees_are_blocked(command: str) -> None:
    assert result_of(block_working_dir_changes(block_cd=False), shell(command)) == "ALLOW"


@pytest.mark.parametrize("command", ["git worktree add x", "bash -c 'git worktree remove x'"])
def test_worktrees_are_free_when_only_directories_are_blocked(command: str) -> None:
    assert result_of(block_working_dir_changes(block_worktree=False), shell(command)) == "ALLOW"
    assert result_of(block_working_dir_changes(block_cd=False), shell(command)) == "DENY"


def test_which_tools_are_shells_can_be_set() -> None:
    gate = block_working_dir_changes(shell_tools=["run"])

    assert result_of(gate, shell("cd /", "run")) == "DENY"
    assert gate(shell("cd /", "Bash")) is None
    assert block_working_dir_changes()(tool_call("Write", {"command": "cd /"})) is None
    assert block_working_dir_changes()(request("cd /")) is None


def test_the_reason_names_what_was_found() -> None:
    answer = block_working_dir_changes()(shell("git status && cd /etc"))

    assert answer == {"result": "DENY", "reason": "Stay in the working directory: cd /etc."}


@pytest.mark.parametrize(
    "command",
    ["env " * 25_000, "find " + "git " * 24_000, "cd src;" * 14_000, "(" * 90_000, "a -c 'b c' " * 9_000],
    ids=["many env", "many git", "many cd", "many brackets", "many quotes"],
)
@pytest.mark.timeout(20)
def test_a_long_command_takes_no_long_time(command: str) -> None:
    block_working_dir_changes(allowed_dirs=["src"])(shell(command))  # the time limit is the assertion


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"block_cd": False, "block_worktree": False}, "nothing would be blocked"),
        ({"block_cd": 1}, "true or false"),
        ({"action": "allow"}, "deny or ask"),
        ({"allowed_dirs": "/proj"}, "allowed_dirs must be a list"),
        ({"allowed_dirs": [""]}, "allowed_dirs must be a list"),
        ({"shell_tools": []}, "one or more"),
    ],
)
def test_a_bad_parameter_is_refused_in_words(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        block_working_dir_changes(**params)


def test_the_defaults_of_the_schema_are_those_of_the_policy() -> None:
    entry = build_registry().get("omnigent.policies.builtins.working_dir.block_working_dir_changes")
    properties = POLICY_REGISTRY[0]["params_schema"]["properties"]
    defaults = {name: schema["default"] for name, schema in properties.items()}

    assert entry is not None
    for command in [*CHANGES, *WORKTREES, *HARMLESS]:
        assert load(entry, defaults).call(shell(command)) == load(entry).call(shell(command))
