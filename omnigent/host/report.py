"""What an operator is shown at the start: where the host dials, what it allows, and what it can run."""

from collections.abc import Iterator, Mapping

from omnigent.host.config import HostConfig


def status_line(config: HostConfig, advice: Mapping[str, str]) -> str:
    """The same in one line; `advice` as below."""
    ready = [name for name, missing in advice.items() if not missing]
    lacking = len(advice) - len(ready)
    more = f"; {lacking} more are not ready, --check says why" if lacking else ""
    runs = ", ".join(ready) or "no harness"
    return f"Host {config.name} for {config.server_url} runs {runs}{more}. Log: {config.log_path}"


def status_lines(config: HostConfig, advice: Mapping[str, str]) -> Iterator[str]:
    """For a terminal. `advice` says for each harness of ours what is missing, empty for one that is ready."""
    ready = [name for name, missing in advice.items() if not missing]
    yield f"Host {config.name} ({config.host_id}) for {config.server_url}"
    yield f"  token       {'yes' if config.token else 'none'}"
    yield f"  workspaces  {config.workspace_root}"
    yield f"  allowed     {', '.join(map(str, config.roots)) or 'the whole disk (limit it with --root)'}"
    yield f"  log         {config.log_path}"
    yield f"  harnesses   {', '.join(ready) or 'none'}"
    for name, missing in advice.items():
        if missing:
            yield f"              {name}: {missing}"
