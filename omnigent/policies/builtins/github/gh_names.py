"""What gh offers: groups, actions, options, and which of them write."""

GH_IGNORED = frozenset(
    {
        *("auth", "config", "alias", "extension", "extensions", "ext", "completion", "browse", "copilot"),
        *("licenses", "search", "status", "help", "version", "--version", "--help"),
    }
)
# Of the ignored groups: what runs or installs code, or gives a command another meaning.
GH_RUNNING = frozenset({("extension", "exec"), ("ext", "exec"), ("extensions", "exec")})

GH_WRITES: dict[str, frozenset[str]] = {
    "pr": frozenset(
        {
            *(
                "create",
                "new",
                "merge",
                "close",
                "edit",
                "comment",
                "review",
                "ready",
                "reopen",
                "lock",
                "unlock",
            ),
            *("update-branch", "revert"),
        }
    ),
    "issue": frozenset(
        {
            *("create", "new", "close", "edit", "comment", "delete", "reopen", "lock", "unlock", "transfer"),
            *("pin", "unpin", "develop"),
        }
    ),
    "repo": frozenset(
        {
            *("create", "new", "delete", "fork", "edit", "rename", "archive", "unarchive", "sync"),
            *("set-default", "deploy-key", "autolink"),
        }
    ),
    "release": frozenset({"create", "new", "delete", "delete-asset", "edit", "upload"}),
    "run": frozenset({"cancel", "delete", "rerun"}),
    "workflow": frozenset({"run", "enable", "disable"}),
    "secret": frozenset({"set", "delete", "remove"}),
    "label": frozenset({"create", "new", "delete", "edit", "clone"}),
    "gist": frozenset({"create", "new", "delete", "edit", "rename"}),
    "cache": frozenset({"delete"}),
    "codespace": frozenset(
        {"create", "delete", "edit", "rebuild", "stop", "cp", "ssh", "ports", "code", "jupyter"}
    ),
    "project": frozenset(
        {
            *("create", "close", "copy", "delete", "edit", "field-create", "field-delete", "item-add"),
            *("item-archive", "item-create", "item-delete", "item-edit", "link", "mark-template", "unlink"),
        }
    ),
    "variable": frozenset({"set", "delete", "remove"}),
    "ssh-key": frozenset({"add", "delete"}),
    "gpg-key": frozenset({"add", "delete"}),
}
_LISTING = frozenset({"list", "ls", "view", "status", "--help", "-h"})
GH_READS: dict[str, frozenset[str]] = {
    "pr": _LISTING | {"checkout", "checks", "diff"},
    "issue": _LISTING,
    "repo": _LISTING | {"clone", "gitignore", "license", "read-file", "read-dir"},
    "release": _LISTING | {"download", "verify", "verify-asset"},
    "run": _LISTING | {"download", "watch"},
    "workflow": _LISTING,
    "secret": _LISTING,
    "label": _LISTING,
    "gist": _LISTING | {"clone"},
    "cache": _LISTING,
    "codespace": _LISTING | {"logs"},
    "project": _LISTING | {"field-list", "item-list"},
    "variable": _LISTING | {"get"},
    "ssh-key": _LISTING,
    "gpg-key": _LISTING,
    "ruleset": _LISTING | {"check"},
    "org": _LISTING,
    "attestation": frozenset({"verify", "download", "trusted-root"}),
}
GH_GROUP_NAMES = {"cs": "codespace", "rs": "ruleset", "at": "attestation"}
GH_ON_BRANCH = frozenset(
    {
        *(("pr", "create"), ("pr", "new"), ("pr", "merge"), ("pr", "revert"), ("pr", "update-branch")),
        *(("repo", "sync"), ("workflow", "run"), ("release", "create"), ("release", "new")),
    }
)
# Options whose value is a branch that is written to, by group. The head of a pull request is not.
GH_BRANCH_OPTIONS = {
    "pr": ("--base", "-B"),
    "repo": ("--branch", "-b"),
    "workflow": ("--ref", "-r"),
    "release": ("--target",),
}
# Options that delete beside what the action does.
GH_DELETING_OPTIONS = {("pr", "merge"): ("--delete-branch", "-d"), ("pr", "close"): ("--delete-branch", "-d")}

GH_API_VALUES = frozenset(
    {
        *("-X", "--method", "-f", "--raw-field", "-F", "--field", "--input", "-H", "--header", "--hostname"),
        *("-p", "--preview", "-q", "--jq", "-t", "--template", "--cache"),
    }
)
GH_API_FLAGS = frozenset({"-i", "--include", "--paginate", "--slurp", "--silent", "--verbose"})
GH_API_FIELDS = ("-f", "--raw-field", "-F", "--field")
GH_REPOSITORY_OPTIONS = ("--repo", "-R", "--branch-repo")
# Options of gh that stand alone, so that what follows them is not their value.
GH_PLAIN_OPTIONS = frozenset(
    {
        *("--fill", "--draft", "--yes", "--squash", "--merge", "--rebase", "--auto", "--admin", "--web"),
        *("--delete-branch", "--approve", "--force", "--public", "--private", "--internal", "--confirm"),
    }
)
# What these reach is not said by a repository option alone.
GH_ELSEWHERE = frozenset(
    {("issue", "transfer"), ("codespace", "ssh"), ("codespace", "cp"), ("codespace", "code")}
)
GH_ELSEWHERE_OPTIONS = {
    "secret": ("--org", "-o", "--user", "-u", "--repos", "-r"),
    "variable": ("--org", "-o", "--repos", "-r"),
}
GH_API_ON_BRANCH = ("/contents/", "/git/refs", "/merge", "/branches/", "/dispatches")
