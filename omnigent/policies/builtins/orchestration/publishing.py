"""What a command would do to others: pushes, merges, releases, deployments."""

import re
from collections.abc import Sequence

from omnigent.policies.builtins.orchestration.findings import HARMLESS, Finding, Harm, is_computed

DEPLOYERS = frozenset({"kubectl", "helm", "terraform", "databricks"})
DEPLOYMENTS = frozenset({"apply", "deploy", "destroy", "delete"})
_GIT_VALUED = frozenset(
    {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--super-prefix", "--config-env"}
)
_PUSH_VALUED = frozenset({"-o", "--push-option", "--receive-pack", "--exec", "--repo"})
_DESTRUCTIVE = ("--force", "--force-with-lease", "--force-if-includes", "--delete", "--mirror", "--prune")
_FOREIGN_CONFIG = ("alias.", "remote.", "push.")
_REMOTE_BRANCH = re.compile(r"(?!refs/heads/|heads/|refs/tags/|tags/)[\w.-]+/|.*@\{u", re.IGNORECASE)
_GH_VALUED = frozenset({"-R", "--repo", "--hostname"})
_GH_RISKY = frozenset({("pr", "merge"), ("repo", "delete")})
_API_WRITES = ("-X", "--method", "-f", "-F", "--field", "--raw-field", "--input")

_OPAQUE = Finding(Harm.UNREADABLE, "has computed arguments where the action is named")


def of_git(words: Sequence[str]) -> Finding:
    """The harm of `git ...`: pushes and hard resets to a remote's branch."""
    at = 1
    while at < len(words) and words[at].startswith("-"):
        if _sets_foreign_config(words, at):
            return Finding(Harm.UNREADABLE, "gives git a configuration that may change what it does")
        at += 2 if words[at] in _GIT_VALUED else 1
    action, rest = (words[at], words[at + 1 :]) if at < len(words) else ("", ())
    if is_computed(action):
        return _OPAQUE
    if action in ("subtree", "lfs") and "push" in rest:
        return Finding(Harm.RISKY, f"pushes to a remote: git {action} push")
    if action in ("push", "send-pack"):
        return _of_push(rest)
    if action == "reset":
        return _of_reset(rest)
    if action == "config" and any(word.lower().startswith(_FOREIGN_CONFIG) for word in rest):
        return Finding(Harm.UNREADABLE, "changes what later git commands do")
    return HARMLESS


def _sets_foreign_config(words: Sequence[str], at: int) -> bool:
    name = words[at]
    if name.startswith("--config-env"):
        return True
    setting = words[at + 1] if name == "-c" and at + 1 < len(words) else name[2:]
    return name.startswith("-c") and (setting.lower().startswith(_FOREIGN_CONFIG) or is_computed(setting))


def _of_push(args: Sequence[str]) -> Finding:
    skip = False
    for word in args:
        if skip:
            skip = False
        elif word in _PUSH_VALUED:
            skip = True
        elif _is_destructive(word):
            return Finding(Harm.CATASTROPHIC, f"rewrites or deletes what others have: git push {word}")
    if any(is_computed(word) for word in args):
        return Finding(Harm.UNREADABLE, "pushes to what is computed")
    return Finding(Harm.RISKY, "pushes to a remote")


def _is_destructive(word: str) -> bool:
    if word.startswith("--"):
        name = word.partition("=")[0]
        return name.startswith("--force") or (len(name) > 2 and any(d.startswith(name) for d in _DESTRUCTIVE))
    if word.startswith("-"):
        cluster = word[1:].partition("o")[0]  # what follows -o is its value
        return "f" in cluster or "d" in cluster
    return word.startswith("+") or (word.startswith(":") and word != ":")


def _of_reset(args: Sequence[str]) -> Finding:
    if not any(len(word) > 2 and "--hard".startswith(word) for word in args):
        return HARMLESS
    targets = [word for word in args if not word.startswith("-")]
    if any(_REMOTE_BRANCH.match(word) or word == "FETCH_HEAD" for word in targets):
        return Finding(Harm.CATASTROPHIC, "throws local work away for what a remote has")
    return _OPAQUE if any(is_computed(word) for word in targets) else HARMLESS


def of_gh(words: Sequence[str]) -> Finding:
    """The harm of `gh ...`: merges, releases, deletions and writing calls of the API."""
    named: list[str] = []
    at = 1
    while at < len(words):
        if not words[at].startswith("-"):
            named.append(words[at])
        at += 2 if words[at] in _GH_VALUED else 1
    group, action = (*named, "", "")[:2]
    if is_computed(group) or (group in ("pr", "repo") and is_computed(action)):
        return _OPAQUE
    writes = group == "api" and any(word.startswith(_API_WRITES) for word in words)
    if group == "release" or (group, action) in _GH_RISKY or writes:
        return Finding(Harm.RISKY, f"changes the repository for others: gh {group} {action}".rstrip())
    return HARMLESS


def of_deployer(words: Sequence[str]) -> Finding:
    """The harm of kubectl, helm, terraform and databricks."""
    found = next((word for word in words[1:] if word in DEPLOYMENTS), None)
    if found:
        return Finding(Harm.RISKY, f"changes what is deployed: {words[0]} {found}")
    named = [word for word in words[1:] if not word.startswith("-")]
    return _OPAQUE if any(is_computed(word) for word in named[:2]) else HARMLESS
