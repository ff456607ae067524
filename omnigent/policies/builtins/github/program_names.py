"""Programs beside git and gh, and settings of the environment, that decide what a command line does."""

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish", "ash", "csh", "tcsh", "source", "."})
# Programs that only take the word git or gh for text, a folder or a package.
TALKING = frozenset(
    {
        *(
            "echo",
            "printf",
            "cat",
            "less",
            "more",
            "head",
            "tail",
            "ls",
            "cd",
            "mkdir",
            "rm",
            "rmdir",
            "touch",
        ),
        *(
            "grep",
            "egrep",
            "fgrep",
            "rg",
            "ag",
            "wc",
            "which",
            "whereis",
            "type",
            "man",
            "file",
            "stat",
            "test",
            "[",
        ),
        *(
            "apt",
            "apt-get",
            "brew",
            "dnf",
            "yum",
            "apk",
            "pip",
            "pip3",
            "pgrep",
            "ps",
            "diff",
            "true",
            "false",
        ),
    }
)
API_HOSTS = ("api.github.com", "uploads.github.com")
# Options and words of programs that fetch addresses and may send something instead.
SENDING = ("--req", "--dat", "--form", "--upl", "--json", "--conf", "--post", "--meth", "--body", "--url-q")
SENDING_LETTERS = frozenset("XdFTK")
DOWNLOADERS = frozenset({"curl", "wget", "http", "https", "xh", "aria2c", "httpie"})

# Settings in the environment that cannot change where git and gh go or what they run.
SAFE_ENVIRONMENT = frozenset(
    {
        *(
            "GIT_AUTHOR_NAME",
            "GIT_AUTHOR_EMAIL",
            "GIT_AUTHOR_DATE",
            "GIT_COMMITTER_NAME",
            "GIT_COMMITTER_EMAIL",
        ),
        *("GIT_COMMITTER_DATE", "GIT_TERMINAL_PROMPT", "GIT_OPTIONAL_LOCKS", "GIT_TRACE", "GIT_CURL_VERBOSE"),
        *("GH_TOKEN", "GITHUB_TOKEN", "GH_PROMPT_DISABLED", "GH_DEBUG", "GH_NO_UPDATE_NOTIFIER"),
    }
)
