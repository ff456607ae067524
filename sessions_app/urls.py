"""Routes of sessions, hosts and runners; what consumers answer is declared for its documentation."""

from django.urls import include, path

from sessions_app.api import agents, elicitations, fleet, forks, items, sessions

session_urls = [
    path("", sessions.SessionResource.as_view(), name="session"),
    path("/items", items.ItemCollection.as_view(), name="session-items"),
    path("/events", sessions.SessionEvents.as_view(), name="session-events"),
    path("/stream", sessions.SessionStream.as_view(), name="session-stream"),
    path("/labels", sessions.Labels.as_view(), name="session-labels"),
    path("/owner", sessions.Owner.as_view(), name="session-owner"),
    path("/child_sessions", sessions.ChildSessions.as_view(), name="session-children"),
    path("/agent", agents.SessionAgent.as_view(), name="session-agent"),
    path("/agent/contents", agents.SessionAgentContents.as_view(), name="session-agent-contents"),
    path("/fork", forks.Fork.as_view(), name="session-fork"),
    path("/switch-agent", forks.SwitchedAgent.as_view(), name="session-switch-agent"),
    path("/mcp", sessions.ToolGate.as_view(), name="session-mcp"),
    path("/policies/evaluate", sessions.PolicyEvaluation.as_view(), name="session-policy-evaluation"),
    path(
        "/elicitations/<str:elicitation_id>",
        elicitations.ElicitationResource.as_view(),
        name="session-elicitation",
    ),
    path(
        "/elicitations/<str:elicitation_id>/resolve",
        elicitations.ElicitationVerdict.as_view(),
        name="session-elicitation-verdict",
    ),
]

urlpatterns = [
    path("v1/sessions", sessions.SessionCollection.as_view(), name="sessions"),
    path("v1/sessions/<str:session_id>", include(session_urls)),
    path("v1/hosts", fleet.HostCollection.as_view(), name="hosts"),
    path("v1/hosts/<str:host_id>", fleet.HostResource.as_view(), name="host"),
    path("v1/runners", fleet.RunnerCollection.as_view(), name="runners"),
    path("v1/runners/<str:runner_id>/status", fleet.RunnerStatus.as_view(), name="runner-status"),
    path("v1/runners/<str:runner_id>/token", fleet.RunnerToken.as_view(), name="runner-token"),
    path("", include("sessions_app.page_urls")),
]
