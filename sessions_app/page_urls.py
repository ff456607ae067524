"""Addresses of the dashboard."""

from django.urls import path

from sessions_app.views import agents, creating, files, posting, sessions

urlpatterns = [
    path("", sessions.session_list, name="session-list"),
    path("new", creating.new_session, name="session-new"),
    path("agents", agents.agent_list, name="agent-list"),
    path("agents/<str:agent_id>/delete", agents.delete_agent, name="agent-delete"),
    path("c/<str:session_id>", sessions.session_detail, name="session-detail"),
    path("c/<str:session_id>/items", sessions.tail_fragment, name="session-tail"),
    path("c/<str:session_id>/items/<str:item_id>", sessions.item_fragment, name="item-fragment"),
    path("c/<str:session_id>/items/<str:item_id>/output", sessions.item_output, name="item-output"),
    path("c/<str:session_id>/calls/<str:call_id>", sessions.call_fragment, name="call-fragment"),
    path("c/<str:session_id>/sub-agents", sessions.family_fragment, name="session-family"),
    path("c/<str:session_id>/agent", sessions.agent_fragment, name="session-agent-panel"),
    path("c/<str:session_id>/files", files.session_files, name="session-files"),
    path("c/<str:session_id>/messages", posting.post_message, name="session-message"),
    path("c/<str:session_id>/interrupt", posting.interrupt, name="session-interrupt"),
    path(
        "c/<str:session_id>/elicitations/<str:elicitation_id>",
        sessions.question_fragment,
        name="session-question",
    ),
    path(
        "c/<str:session_id>/elicitations/<str:elicitation_id>/answer",
        posting.answer_question,
        name="session-answer",
    ),
    path("approve/<str:session_id>/<str:elicitation_id>", sessions.approve, name="session-approve"),
]
