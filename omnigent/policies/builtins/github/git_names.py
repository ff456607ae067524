"""What git offers: subcommands, options, and which of them write or run something else."""

# Work in the local repository only. Anything that is not named in this file may be an alias.
GIT_LOCAL = frozenset(
    {
        *(
            "add",
            "am",
            "annotate",
            "apply",
            "archive",
            "blame",
            "branch",
            "cat-file",
            "check-ignore",
            "checkout",
            "cherry",
        ),
        *("cherry-pick", "clean", "commit", "commit-tree", "count-objects", "describe", "diff", "diff-files"),
        *("diff-index", "diff-tree", "for-each-ref", "format-patch", "fsck", "gc", "hash-object", "help"),
        *(
            "init",
            "log",
            "ls-files",
            "ls-tree",
            "merge",
            "merge-base",
            "mv",
            "name-rev",
            "notes",
            "range-diff",
        ),
        *(
            "read-tree",
            "reflog",
            "remote",
            "replace",
            "reset",
            "restore",
            "rev-list",
            "rev-parse",
            "revert",
            "rm",
        ),
        *("shortlog", "show", "show-branch", "show-ref", "sparse-checkout", "stash", "status", "switch"),
        *(
            "symbolic-ref",
            "tag",
            "update-index",
            "update-ref",
            "var",
            "verify-commit",
            "verify-tag",
            "version",
        ),
        *("whatchanged", "worktree", "write-tree", "grep", "rebase", "bisect", "config"),
    }
)
GIT_READS = frozenset({"clone", "fetch", "pull", "ls-remote"})
# Options of otherwise local commands that run what follows them.
GIT_RUNNING_WORDS = {
    "rebase": ("-x", "--ex"),
    "grep": ("-O", "--op"),
    "bisect": ("run",),
    "archive": ("--rem", "--ex"),
}
GIT_SAFE_CONFIG = (
    *("user.", "author.", "committer.", "color.", "advice.", "column.", "commit.", "tag.gpgsign", "log."),
    *("core.quotepath", "core.autocrlf", "init.defaultbranch", "gc.auto", "diff.renames", "protocol.version"),
    *("safe.directory", "http.postbuffer", "pull.rebase", "pull.ff", "push.default", "core.pager=cat"),
)
GIT_CONFIG_PLACES = frozenset(
    {"--global", "--local", "--system", "--worktree", "--show-origin", "-z", "--null"}
)
GIT_CONFIG_READS = frozenset({"--get", "--get-all", "--get-regexp", "--list", "-l", "get", "list"})
GIT_CONFIG_CHANGES = frozenset({"set", "unset", "--add", "--unset", "--unset-all", "--replace-all"})
GIT_REMOTE_READS = frozenset({"update", "show", "prune", "set-head"})

# Before the subcommand. The others among git's own options stand alone.
GIT_VALUE_OPTIONS = ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--config-env")
GIT_PLAIN_OPTIONS = frozenset(
    {
        *("-p", "-P", "--paginate", "--no-pager", "--no-replace-objects", "--no-optional-locks", "--bare"),
        *(
            "--literal-pathspecs",
            "--glob-pathspecs",
            "--noglob-pathspecs",
            "--icase-pathspecs",
            "--no-advice",
        ),
    }
)
GIT_REPORTS = frozenset({"--version", "-v", "--help", "-h", "--html-path", "--man-path", "--info-path"})

PUSH_VALUES = frozenset({"--repo", "--push-option", "-o", "--receive-pack", "--exec", "--recurse-submodules"})
PUSH_FLAGS = frozenset(
    {
        *("--all", "--branches", "--mirror", "--tags", "--follow-tags", "--no-follow-tags", "--delete", "-d"),
        *("--force", "-f", "--force-with-lease", "--no-force-with-lease", "--force-if-includes", "--prune"),
        *("--no-force-if-includes", "--no-force", "--dry-run", "-n", "--porcelain", "--set-upstream", "-u"),
        *(
            "--thin",
            "--no-thin",
            "--quiet",
            "-q",
            "--verbose",
            "-v",
            "--progress",
            "--no-progress",
            "--verify",
        ),
        *(
            "--no-verify",
            "--atomic",
            "--no-atomic",
            "--signed",
            "--no-signed",
            "--ipv4",
            "-4",
            "--ipv6",
            "-6",
        ),
        *("--no-recurse-submodules", "--no-tags"),
    }
)
PUSH_FORCES = frozenset({"--force", "-f", "--force-with-lease", "--force-if-includes", "--mirror"})
PUSH_DELETES = frozenset({"--delete", "-d", "--prune", "--mirror"})
PUSH_TAGS = frozenset({"--tags", "--follow-tags", "--mirror"})
PUSH_MANY = frozenset({"--all", "--branches", "--mirror"})
PUSH_RUNS = frozenset({"--receive-pack", "--exec"})
PUSH_FAR = frozenset({"--recurse-submodules"})

READ_VALUES = frozenset(
    {
        *(
            "--branch",
            "-b",
            "--depth",
            "--origin",
            "-o",
            "--reference",
            "--reference-if-able",
            "--shallow-since",
        ),
        *("--shallow-exclude", "--filter", "--jobs", "-j", "--separate-git-dir", "--refmap", "--deepen"),
        *("--strategy", "-s", "--strategy-option", "-X", "--upload-pack", "--config", "-c", "--template"),
        *(
            "--server-option",
            "--bundle-uri",
            "--sort",
            "--negotiation-tip",
            "--exec",
            "--ref-format",
            "--revision",
        ),
    }
)
READ_FLAGS = frozenset(
    {
        *(
            "--all",
            "-a",
            "--append",
            "--atomic",
            "--bare",
            "--mirror",
            "--no-checkout",
            "-n",
            "--local",
            "-l",
        ),
        *("--no-local", "--shared", "--no-hardlinks", "--quiet", "-q", "--verbose", "-v", "--progress"),
        *(
            "--no-progress",
            "--single-branch",
            "--no-single-branch",
            "--tags",
            "-t",
            "--no-tags",
            "--prune",
            "-p",
        ),
        *(
            "--prune-tags",
            "-P",
            "--force",
            "-f",
            "--keep",
            "-k",
            "--unshallow",
            "--update-shallow",
            "--multiple",
        ),
        *("--dry-run", "--set-upstream", "--recurse-submodules", "--no-recurse-submodules", "--recursive"),
        *("--shallow-submodules", "--remote-submodules", "--sparse", "--dissociate", "--reject-shallow"),
        *(
            "--rebase",
            "-r",
            "--no-rebase",
            "--ff",
            "--no-ff",
            "--ff-only",
            "--commit",
            "--no-commit",
            "--edit",
        ),
        *(
            "-e",
            "--no-edit",
            "--squash",
            "--no-squash",
            "--stat",
            "--no-stat",
            "--autostash",
            "--no-autostash",
        ),
        *("--verify", "--no-verify", "--signoff", "--no-signoff", "--heads", "--branches", "-h", "--refs"),
        *("--get-url", "--exit-code", "--symref", "-4", "--ipv4", "-6", "--ipv6", "-u", "--update-head-ok"),
        *(
            "--write-fetch-head",
            "--no-write-fetch-head",
            "--auto-gc",
            "--no-auto-gc",
            "--also-filter-submodules",
        ),
        *(
            "--allow-unrelated-histories",
            "--show-forced-updates",
            "--no-show-forced-updates",
            "--gpg-sign",
            "-S",
        ),
    }
)
# `-u` is harmless in fetch and names a program in clone; it is not worth telling them apart.
READ_RUNS = frozenset({"--upload-pack", "--exec", "--config", "-c", "--template", "-u", "--bundle-uri"})
READ_FAR = frozenset(
    {"--recurse-submodules", "--recursive", "--all", "-a", "--multiple", "--remote-submodules"}
)
