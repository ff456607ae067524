"""The names of GitHub's tools, as its MCP servers call them."""

SERVICE_INFO = frozenset({"get_service_info", "get_api_info"})
READS = frozenset({"get_file_contents", "get_me", "pull_request_read", "issue_read"})

FILE_WRITES = frozenset({"create_or_update_file", "push_files", "delete_file"})
BRANCH_WRITES = frozenset(
    {"create_branch", "delete_branch", "update_branch", "create_ref", "update_ref", "delete_ref"}
)
REPOSITORY_WRITES = frozenset(
    {
        *("create_repository", "update_repository", "delete_repository", "fork_repository"),
        *("archive_repository", "rename_repository", "transfer_repository"),
    }
)
PULL_REQUEST_WRITES = frozenset(
    {
        *("create_pull_request", "update_pull_request", "merge_pull_request", "close_pull_request"),
        *("update_pull_request_branch", "pull_request_write", "create_pull_request_with_copilot"),
        *("pull_request_review_write", "create_pull_request_review", "create_and_submit_pull_request_review"),
        *("create_pending_pull_request_review", "submit_pending_pull_request_review"),
        *("delete_pending_pull_request_review", "add_comment_to_pending_review"),
        *("add_pull_request_review_comment", "add_reply_to_pull_request_comment", "request_copilot_review"),
    }
)
ISSUE_WRITES = frozenset(
    {
        *("create_issue", "update_issue", "close_issue", "issue_write", "add_issue_comment"),
        *("add_sub_issue", "remove_sub_issue", "reprioritize_sub_issue", "sub_issue_write"),
        *("assign_copilot_to_issue", "lock_issue", "unlock_issue", "label_write"),
    }
)
RELEASE_WRITES = frozenset({"create_release", "update_release", "delete_release", "create_tag", "delete_tag"})
GIST_WRITES = frozenset({"create_gist", "update_gist", "delete_gist"})
WORKFLOW_WRITES = frozenset(
    {
        *("run_workflow", "cancel_workflow_run", "rerun_workflow_run", "rerun_failed_jobs"),
        *("delete_workflow_run_logs", "actions_run_trigger", "trigger_workflow", "dispatch_workflow"),
    }
)
WRITES = (
    FILE_WRITES
    | BRANCH_WRITES
    | REPOSITORY_WRITES
    | PULL_REQUEST_WRITES
    | ISSUE_WRITES
    | RELEASE_WRITES
    | GIST_WRITES
    | WORKFLOW_WRITES
)

# Writes that land on a branch: without its name nobody can tell whether they may.
ON_BRANCH = (
    FILE_WRITES
    | BRANCH_WRITES
    | frozenset(
        {
            *("create_pull_request", "create_pull_request_with_copilot", "merge_pull_request"),
            *("update_pull_request_branch", "run_workflow", "dispatch_workflow", "trigger_workflow"),
        }
    )
)
TAG_WRITES = frozenset({"create_tag", "delete_tag"})
# Withdrawing one's own unsent review deletes nothing that others have seen.
HARMLESS_DELETES = frozenset({"delete_pending_pull_request_review"})

READ_VERBS = ("get_", "list_", "search_", "find_", "fetch_", "read_", "download_", "compare_", "check_")
READ_ENDINGS = ("_read", "_get", "_list", "_search")
WRITE_VERBS = (
    *("create_", "update_", "delete_", "merge_", "push_", "add_", "remove_", "set_", "fork_", "run_"),
    *("rerun_", "cancel_", "close_", "reopen_", "lock_", "unlock_", "submit_", "request_", "assign_"),
    *("unassign_", "edit_", "rename_", "archive_", "transfer_", "dispatch_", "trigger_", "approve_"),
    *("dismiss_", "mark_", "manage_", "star_", "unstar_", "enable_", "disable_", "upload_", "publish_"),
    *("revert_", "write_", "put_", "post_", "patch_", "reprioritize_", "resolve_", "unresolve_", "comment_"),
)
WRITE_ENDINGS = ("_write", "_trigger", "_delete", "_create", "_update")

OWNER_KEYS = ("owner", "org", "organization")
REPOSITORY_KEYS = ("repository", "full_name", "repo", "name_with_owner", "nameWithOwner")
PATH_KEYS = ("path", "endpoint", "route", "api_path", "url")
METHOD_KEYS = ("method", "http_method", "verb")
BRANCH_KEYS = (
    *("branch", "ref", "base", "branch_name", "base_branch"),
    *("target_branch", "baseRefName", "ref_name"),
)
CONTAINER_KEYS = ("params", "parameters", "arguments", "body", "payload", "input")
# Words people write: an address in them is talk, not a target.
PROSE_KEYS = frozenset(
    {"title", "body", "content", "description", "message", "commit_message", "commit_title"}
)
