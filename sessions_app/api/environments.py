"""Resources and environments of a session, as documented; consumers answer, asking the session's runner."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.schema.models import reference
from sessions_app import environment_bodies as bodies
from sessions_app.api.answers import answered_by_consumer, caller, json_answer
from sessions_app.api.shapes import environments as shapes
from sessions_app.api.shapes.resources import FileResource
from sessions_app.api.shapes.terminals import TerminalResource
from sessions_app.services import files
from sessions_app.services.access import Level, require

AWAY = (404, 409, 410, 502, 503)
FAILS = (*AWAY, 413)
BYTES = {"type": "string", "format": "binary"}
RESOURCES = (FileResource, shapes.EnvironmentResource, TerminalResource)
RESOURCE = {"anyOf": [reference(each) for each in RESOURCES]}
READ = {"anyOf": [reference(shapes.FileText), reference(shapes.DirectoryPage), BYTES]}
RANGE = OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="One part of a download.")
IF_RANGE = OpenApiParameter(
    "If-Range", str, OpenApiParameter.HEADER, description="The `ETag` that the part is wanted of."
)


class ResourceCollection(APIView):
    """What a session has besides its items."""

    @describes(shapes.AnyResourcePage, query=bodies.ListResources, refuses=(404, 502))
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """What the runner has open, then the files, newest first. Without a runner there are the files; of
        a type that the session has none of the page is empty.
        """
        answered_by_consumer()


class ResourceItem(APIView):
    """One of them, whatever its type. What the runner has is answered by a consumer."""

    @describes(RESOURCE, refuses=AWAY)
    def get(self, request: Request, session_id: str, resource_id: str) -> HttpResponse:
        """The resource object."""
        found = require(caller(request), session_id, Level.READ)
        file = files.find(found.pk, resource_id)
        return json_answer(files.resource(file, size=file.blob.size, session_id=found.public_id))


class EnvironmentCollection(APIView):
    """Where a session's tools and terminals work."""

    @describes(shapes.EnvironmentPage, refuses=AWAY)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """All of them; `default` is the workspace."""
        answered_by_consumer()


class EnvironmentItem(APIView):
    """One environment."""

    @describes(shapes.EnvironmentResource, refuses=AWAY)
    def get(self, request: Request, session_id: str, environment_id: str) -> HttpResponse:
        """Its root, and where its tools may go."""
        answered_by_consumer()


class RootDirectory(APIView):
    """The workspace."""

    @describes(shapes.DirectoryPage, query=bodies.ReadFiles, refuses=FAILS)
    def get(self, request: Request, session_id: str, environment_id: str) -> HttpResponse:
        """A page of what is in it."""
        answered_by_consumer()


class FileOrDirectory(APIView):
    """A file or a directory in an environment."""

    @describes(
        {200: READ, 206: BYTES},
        query=bodies.ReadFiles,
        headers=[RANGE, IF_RANGE],
        refuses=(*FAILS, 416),
        media=("application/json", "*/*"),
    )
    def get(self, request: Request, session_id: str, environment_id: str, path: str) -> HttpResponse:
        """A page of a directory; a file's content, up to 10 MiB of it; with `download` all its bytes."""
        answered_by_consumer()

    @describes(shapes.WriteResult, body=bodies.WriteFile, query=bodies.AtBase, refuses=FAILS)
    def put(self, request: Request, session_id: str, environment_id: str, path: str) -> HttpResponse:
        """Write a whole file."""
        answered_by_consumer()

    @describes(shapes.EditResult, body=bodies.EditFile, query=bodies.AtBase, refuses=FAILS)
    def patch(self, request: Request, session_id: str, environment_id: str, path: str) -> HttpResponse:
        """Put one text in the place of another."""
        answered_by_consumer()

    @describes(shapes.DeleteResult, query=bodies.DeleteFile, refuses=FAILS)
    def delete(self, request: Request, session_id: str, environment_id: str, path: str) -> HttpResponse:
        """Delete a file or a directory."""
        answered_by_consumer()


class FileSearch(APIView):
    """Finding files in the workspace."""

    @describes(shapes.FoundPage, query=bodies.SearchFiles, refuses=FAILS)
    def get(self, request: Request, session_id: str, environment_id: str) -> HttpResponse:
        """Files with `q` in their name or path; with `mode=content` lines with `q` in them."""
        answered_by_consumer()


class FileSearchBelow(APIView):
    """Finding files in a directory."""

    @describes(shapes.FoundPage, query=bodies.SearchFiles, refuses=FAILS)
    def get(self, request: Request, session_id: str, environment_id: str, path: str) -> HttpResponse:
        """The same below a directory."""
        answered_by_consumer()


class ChangedFiles(APIView):
    """What has become of the workspace."""

    @describes(shapes.ChangesPage, refuses=FAILS)
    def get(self, request: Request, session_id: str, environment_id: str) -> HttpResponse:
        """The files that were created, modified or deleted."""
        answered_by_consumer()


class ChangedFile(APIView):
    """One changed file."""

    @describes(shapes.FileDiff, refuses=FAILS)
    def get(self, request: Request, session_id: str, environment_id: str, path: str) -> HttpResponse:
        """Its content before and after; 404 for a file that is as it was."""
        answered_by_consumer()


class Shell(APIView):
    """Commands in an environment."""

    @describes(shapes.ShellResult, body=bodies.RunCommand, refuses=(*FAILS, 415))
    def post(self, request: Request, session_id: str, environment_id: str) -> HttpResponse:
        """Run a command to its end, or until its time is up."""
        answered_by_consumer()
