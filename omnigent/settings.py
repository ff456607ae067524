"""Every setting of the server: read from the environment, with defaults that run on a fresh clone.

Malformed values are replaced by their defaults here and reported by the system checks.
"""

import hashlib
import os
from pathlib import Path

from omnigent import databases
from omnigent.env import Environment
from omnigent.secret_key import secret_key

ENV = Environment(os.environ)
BASE_DIR = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
DAY = 86400.0

# Where the server listens and what it keeps -------------------------------------------------------
HOST = ENV.text("HOST", "127.0.0.1")
PORT = ENV.integer("PORT", 6767, maximum=65535)
DATA_DIR = Path(ENV.text("DATA_DIR", str(BASE_DIR / "var"))).expanduser().resolve()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
OMNIGENT_ASGI_SERVER = ENV.choice("OMNIGENT_ASGI_SERVER", "daphne", ("daphne", "uvicorn"))
# The address at which the other replicas reach this process; without it, the one it listens on.
OMNIGENT_INTERNAL_ADDRESS = ENV.text("OMNIGENT_INTERNAL_ADDRESS")
DEBUG = ENV.flag("DEBUG", default=False)
SECRET_KEY = ENV.text("SECRET_KEY") or secret_key(DATA_DIR)

# Database and bus ---------------------------------------------------------------------------------
DATABASE_URL = ENV.text("DATABASE_URL")
REDIS_URL = ENV.text("REDIS_URL")
SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
# How SQLite syncs what is answered 202, and how it syncs streamed text; see docs/architecture.md.
OMNIGENT_SQLITE_SYNCHRONOUS = ENV.choice("OMNIGENT_SQLITE_SYNCHRONOUS", "FULL", SYNCHRONOUS)
OMNIGENT_WRITER_SYNCHRONOUS = ENV.choice("OMNIGENT_WRITER_SYNCHRONOUS", "NORMAL", SYNCHRONOUS)
# The same choice on PostgreSQL: whether streamed text waits for the disk.
OMNIGENT_WRITER_SYNCHRONOUS_COMMIT = ENV.flag("OMNIGENT_WRITER_SYNCHRONOUS_COMMIT", default=False)
if DATABASE_URL:
    DATABASES = {"default": databases.from_url(DATABASE_URL)}
else:
    DATABASES = {
        "default": databases.sqlite(DATA_DIR / "omnigent.sqlite3", synchronous=OMNIGENT_SQLITE_SYNCHRONOUS)
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Threads that run the synchronous stack; more than two make SQLite slower, not faster.
OMNIGENT_POOL_THREADS = ENV.integer("OMNIGENT_POOL_THREADS", 6 if DATABASE_URL else 2, minimum=1, maximum=64)

# Who may talk to the server -----------------------------------------------------------------------
OMNIGENT_AUTH_MODE = ENV.choice("OMNIGENT_AUTH_MODE", "single-user", ("single-user", "header", "accounts"))
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
ALLOWED_HOSTS = [*LOOPBACK_NAMES, *ENV.words("OMNIGENT_ALLOWED_HOSTS")]
TRUSTED_ORIGINS = ENV.words("OMNIGENT_TRUSTED_ORIGINS")
CSRF_TRUSTED_ORIGINS = list(TRUSTED_ORIGINS)
CSRF_FAILURE_VIEW = "omnigent.api.views.csrf_failure"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
# Mode `header`: a proxy names the user. Its word counts from these addresses and ranges only.
OMNIGENT_AUTH_HEADER = ENV.text("OMNIGENT_AUTH_HEADER", "X-Forwarded-Email")
OMNIGENT_AUTH_HEADER_STRIP_PREFIX = ENV.text("OMNIGENT_AUTH_HEADER_STRIP_PREFIX")
OMNIGENT_TRUSTED_PROXIES = ENV.words("OMNIGENT_TRUSTED_PROXIES")
OMNIGENT_ADMINS = frozenset(name.lower() for name in ENV.words("OMNIGENT_ADMINS"))
# Mode `accounts`: people log in here.
OMNIGENT_ACCOUNTS_BASE_URL = ENV.text("OMNIGENT_ACCOUNTS_BASE_URL")
OMNIGENT_ACCOUNTS_SESSION_TTL_HOURS = ENV.seconds("OMNIGENT_ACCOUNTS_SESSION_TTL_HOURS", 8.0, minimum=0.01)
OMNIGENT_ACCOUNTS_INVITE_TTL_HOURS = ENV.seconds("OMNIGENT_ACCOUNTS_INVITE_TTL_HOURS", 72.0, minimum=0.01)
OMNIGENT_ACCOUNTS_INIT_ADMIN_USERNAME = ENV.text("OMNIGENT_ACCOUNTS_INIT_ADMIN_USERNAME")
OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD = ENV.text("OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD")
OMNIGENT_LOGIN_ATTEMPTS = ENV.integer("OMNIGENT_LOGIN_ATTEMPTS", 10, minimum=1)
OMNIGENT_LOGIN_ADDRESS_ATTEMPTS = ENV.integer("OMNIGENT_LOGIN_ADDRESS_ATTEMPTS", 50, minimum=1)
OMNIGENT_LOGIN_WINDOW_SECONDS = ENV.seconds("OMNIGENT_LOGIN_WINDOW_SECONDS", 300.0, minimum=1.0)
# Another service (OpenID Connect) that people may log in by, besides passwords.
OMNIGENT_OIDC_ISSUER = ENV.text("OMNIGENT_OIDC_ISSUER").rstrip("/")
OMNIGENT_OIDC_CLIENT_ID = ENV.text("OMNIGENT_OIDC_CLIENT_ID")
OMNIGENT_OIDC_CLIENT_SECRET = ENV.text("OMNIGENT_OIDC_CLIENT_SECRET")
# Subjects are unique per issuer only, so accounts are kept under a name of the issuer.
OMNIGENT_OIDC_PROVIDER = f"oidc-{hashlib.sha256(OMNIGENT_OIDC_ISSUER.encode()).hexdigest()[:16]}"
OMNIGENT_OIDC_NAME = ENV.text("OMNIGENT_OIDC_NAME", "single sign-on")
OMNIGENT_OIDC_SCOPES = ENV.words("OMNIGENT_OIDC_SCOPES") or ("openid", "email", "profile")
OMNIGENT_OIDC_ALLOWED_DOMAINS = frozenset(word.lower() for word in ENV.words("OMNIGENT_OIDC_ALLOWED_DOMAINS"))
OMNIGENT_OIDC_GROUPS_CLAIM = ENV.text("OMNIGENT_OIDC_GROUPS_CLAIM", "groups")
OMNIGENT_OIDC_ALLOWED_GROUPS = frozenset(ENV.words("OMNIGENT_OIDC_ALLOWED_GROUPS"))
OMNIGENT_OIDC_ADMIN_GROUPS = frozenset(ENV.words("OMNIGENT_OIDC_ADMIN_GROUPS"))
SOCIALACCOUNT_ADAPTER = "omnigent.accounts.oidc.issuer.Outcome"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "APPS": [
            {
                "provider_id": OMNIGENT_OIDC_PROVIDER,
                "name": OMNIGENT_OIDC_NAME,
                "client_id": OMNIGENT_OIDC_CLIENT_ID,
                "secret": OMNIGENT_OIDC_CLIENT_SECRET,
                "settings": {
                    "server_url": OMNIGENT_OIDC_ISSUER,
                    "oauth_pkce_enabled": True,
                    "scope": OMNIGENT_OIDC_SCOPES,
                },
            }
        ]
    }
}
# Logins of programs: how long their codes are good, how often they may ask, and how long their token lasts.
OMNIGENT_DEVICE_CODE_SECONDS = ENV.integer("OMNIGENT_DEVICE_CODE_SECONDS", 600, minimum=1, maximum=3600)
OMNIGENT_DEVICE_POLL_SECONDS = ENV.integer("OMNIGENT_DEVICE_POLL_SECONDS", 5, maximum=60)
OMNIGENT_DEVICE_TOKEN_DAYS = ENV.integer("OMNIGENT_DEVICE_TOKEN_DAYS", 90, minimum=1, maximum=3660)
LOGIN_URL = "/login"
SESSION_ENGINE = "omnigent.accounts.login_sessions"
SESSION_COOKIE_AGE = int(OMNIGENT_ACCOUNTS_SESSION_TTL_HOURS * 3600)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = OMNIGENT_ACCOUNTS_BASE_URL.startswith("https://")
SESSION_COOKIE_NAME = "__Host-ap_session" if SESSION_COOKIE_SECURE else "ap_session"
AUTHENTICATION_BACKENDS = ["omnigent.accounts.services.logins.PasswordBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# IDE panels show the session pages in a frame; everything else refuses to be framed.
OMNIGENT_FRAME_ANCESTORS = ("'self'", "vscode-webview:", "vscode-file:")

# Sharing, until an administrator changes it by PUT /v1/sharing -----------------------------------------
OMNIGENT_SHARING_MODE = ENV.choice(
    "OMNIGENT_SHARING_MODE", "on", ("on", "read_only", "restricted_read_only", "off")
)
OMNIGENT_PUBLIC_SHARING = ENV.flag("OMNIGENT_PUBLIC_SHARING", default=True)
OMNIGENT_PUBLIC_SHARING_MAX_LEVEL = ENV.choice("OMNIGENT_PUBLIC_SHARING_MAX_LEVEL", "read", ("read", "edit"))
# Who may answer what an agent asks before it acts: the session's owner, or everybody who may edit it.
OMNIGENT_APPROVERS = ENV.choice("OMNIGENT_APPROVERS", "owner", ("owner", "edit"))
# Policies: modules with handlers of the operator's, and a YAML file with policies and more such modules.
OMNIGENT_POLICY_MODULES = ENV.words("OMNIGENT_POLICY_MODULES")
OMNIGENT_POLICY_CONFIG = ENV.text("OMNIGENT_POLICY_CONFIG")
# Hosts, addresses and networks that url policies may use though they are not public; and their ports.
OMNIGENT_OUTBOUND_ALLOWED = ENV.words("OMNIGENT_OUTBOUND_ALLOWED")
OMNIGENT_OUTBOUND_PORTS = ENV.words("OMNIGENT_OUTBOUND_PORTS") or ("443",)
# Url policies: how long one may take, what signs them, and the phases in which a failure is harmless.
OMNIGENT_POLICY_URL_SECONDS = ENV.seconds("OMNIGENT_POLICY_URL_SECONDS", 1.0, minimum=0.05)
OMNIGENT_POLICY_URL_SECRET = ENV.text("OMNIGENT_POLICY_URL_SECRET")
OMNIGENT_POLICY_URL_FAIL_OPEN_PHASES = ENV.words("OMNIGENT_POLICY_URL_FAIL_OPEN_PHASES")
# How long a handler of the operator's own modules may take.
OMNIGENT_POLICY_HANDLER_SECONDS = ENV.seconds("OMNIGENT_POLICY_HANDLER_SECONDS", 5.0, minimum=0.05)
# What applications above the plumbing do for it: writes once per idempotency key, and what /v1/info adds.
OMNIGENT_WRITE_ONCE = "sessions_app.api.writing.once"
OMNIGENT_INFO = ("sessions_app.api.sharing.server_info", "omnigent.accounts.views.identity_facts")

# Limits of a request ------------------------------------------------------------------------------
OMNIGENT_BODY_LIMIT = ENV.integer("OMNIGENT_BODY_LIMIT", 10 * MIB, minimum=1024)
OMNIGENT_UPLOAD_LIMIT = ENV.integer("OMNIGENT_UPLOAD_LIMIT", 100 * MIB, minimum=1024)
OMNIGENT_BODY_MEMORY = ENV.integer("OMNIGENT_BODY_MEMORY", MIB, minimum=0)
OMNIGENT_BODY_SECONDS = ENV.seconds("OMNIGENT_BODY_SECONDS", 30.0, minimum=0.1)
OMNIGENT_IMPORT_LIMIT = ENV.integer("OMNIGENT_IMPORT_LIMIT", 256 * MIB, minimum=1024)
OMNIGENT_IMPORT_UNPACKED_LIMIT = ENV.integer("OMNIGENT_IMPORT_UNPACKED_LIMIT", 2048 * MIB, minimum=1024)
OMNIGENT_UPLOAD_SECONDS = ENV.seconds("OMNIGENT_UPLOAD_SECONDS", 300.0, minimum=0.1)
# The request handler caps bodies itself, with the answers of the API.
DATA_UPLOAD_MAX_MEMORY_SIZE = None
FILE_UPLOAD_MAX_MEMORY_SIZE = MIB

# Tunnels and streams ------------------------------------------------------------------------------
OMNIGENT_FRAME_LIMIT = ENV.integer("OMNIGENT_FRAME_LIMIT", 100 * MIB, minimum=MIB)
OMNIGENT_SOCKET_PING_SECONDS = ENV.seconds("OMNIGENT_SOCKET_PING_SECONDS", 30.0, minimum=0.1)
OMNIGENT_SOCKET_PING_TIMEOUT = ENV.seconds("OMNIGENT_SOCKET_PING_TIMEOUT", 90.0, minimum=0.1)
OMNIGENT_HELLO_SECONDS = ENV.seconds("OMNIGENT_HELLO_SECONDS", 30.0, minimum=0.1)
OMNIGENT_TUNNEL_PING_SECONDS = ENV.seconds("OMNIGENT_TUNNEL_PING_SECONDS", 30.0, minimum=0.05)
OMNIGENT_TUNNEL_SILENCE_SECONDS = ENV.seconds("OMNIGENT_TUNNEL_SILENCE_SECONDS", 90.0, minimum=0.1)
OMNIGENT_COMPACTION_SECONDS = ENV.seconds("OMNIGENT_COMPACTION_SECONDS", 300.0, minimum=0.1)
OMNIGENT_LAUNCH_SECONDS = ENV.seconds("OMNIGENT_LAUNCH_SECONDS", 60.0, minimum=0.1)
OMNIGENT_ARCHIVE_STOP_SECONDS = ENV.seconds("OMNIGENT_ARCHIVE_STOP_SECONDS", 8.0)
OMNIGENT_HEARTBEAT_SECONDS = ENV.seconds("OMNIGENT_HEARTBEAT_SECONDS", 15.0, minimum=0.05)
OMNIGENT_ACCESS_RECHECK_SECONDS = ENV.seconds("OMNIGENT_ACCESS_RECHECK_SECONDS", 30.0, minimum=0.05)
OMNIGENT_STALL_SECONDS = ENV.seconds("OMNIGENT_STALL_SECONDS", 60.0, minimum=0.1)
OMNIGENT_PRESENCE_LEAVE_SECONDS = ENV.seconds("OMNIGENT_PRESENCE_LEAVE_SECONDS", 15.0)
OMNIGENT_UPDATES_HEARTBEAT_SECONDS = ENV.seconds("OMNIGENT_UPDATES_HEARTBEAT_SECONDS", 30.0, minimum=0.05)
OMNIGENT_UPDATES_RESCAN_SECONDS = ENV.seconds("OMNIGENT_UPDATES_RESCAN_SECONDS", 4.0, minimum=0.05)
OMNIGENT_DRAIN_SECONDS = ENV.seconds("OMNIGENT_DRAIN_SECONDS", 3.0)

# Turns and the loops of every process -------------------------------------------------------------
OMNIGENT_LEASE_SECONDS = ENV.seconds("OMNIGENT_LEASE_SECONDS", 90.0, minimum=0.1)
OMNIGENT_LEASE_STORE_SECONDS = ENV.seconds("OMNIGENT_LEASE_STORE_SECONDS", 5.0)
OMNIGENT_RECONCILE_SECONDS = ENV.seconds("OMNIGENT_RECONCILE_SECONDS", 5.0, minimum=0.05)
OMNIGENT_OUTBOX_SECONDS = ENV.seconds("OMNIGENT_OUTBOX_SECONDS", 1.0, minimum=0.05)
OMNIGENT_PRUNE_SECONDS = ENV.seconds("OMNIGENT_PRUNE_SECONDS", 3600.0, minimum=0.05)
OMNIGENT_COMMIT_FLOOR_SECONDS = ENV.seconds("OMNIGENT_COMMIT_FLOOR_SECONDS", 0.005, maximum=1.0)

# Search: how often the index is filled without one, and when a search answers what it has found so far.
OMNIGENT_INDEX_SECONDS = ENV.seconds("OMNIGENT_INDEX_SECONDS", 5.0, minimum=0.05)
OMNIGENT_SEARCH_SECONDS = ENV.seconds("OMNIGENT_SEARCH_SECONDS", 2.0)

# How long things are kept -------------------------------------------------------------------------
OMNIGENT_LOG_RETENTION_SECONDS = ENV.seconds("OMNIGENT_LOG_RETENTION_SECONDS", 7 * DAY, minimum=0.1)
OMNIGENT_RECEIPT_RETENTION_SECONDS = ENV.seconds("OMNIGENT_RECEIPT_RETENTION_SECONDS", DAY, minimum=0.1)
OMNIGENT_DECISION_RETENTION_SECONDS = ENV.seconds("OMNIGENT_DECISION_RETENTION_SECONDS", 365 * DAY, minimum=1)
OMNIGENT_DECISION_INPUTS = ENV.choice("OMNIGENT_DECISION_INPUTS", "redacted", ("redacted", "none"))
OMNIGENT_BLOB_GRACE_SECONDS = ENV.seconds("OMNIGENT_BLOB_GRACE_SECONDS", 3600.0, minimum=0.1)

# Agents -------------------------------------------------------------------------------------------
OMNIGENT_BUILTIN_AGENT_DIRS = ENV.paths("OMNIGENT_BUILTIN_AGENT_DIRS")

# Django -------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "omnigent.accounts",
    "agents_app",
    "policies_app",
    "sessions_app",
]
if OMNIGENT_OIDC_ISSUER:
    INSTALLED_APPS[0:0] = [
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
    ]
MIDDLEWARE = [
    "omnigent.api.headers.SecurityHeaders",
    "omnigent.accounts.middleware.Admission",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "omnigent.accounts.middleware.AdminSiteUser",
    "django.contrib.messages.middleware.MessageMiddleware",
    *(["allauth.account.middleware.AccountMiddleware"] if OMNIGENT_OIDC_ISSUER else []),
]
ROOT_URLCONF = "omnigent.urls"
ASGI_APPLICATION = "omnigent.asgi.application"
APPEND_SLASH = False
AUTH_USER_MODEL = "accounts.User"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "",
    "POSTPROCESSING_HOOKS": ["omnigent.api.schema.document.complete"],
}
REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "omnigent.api.schema.inspector.Inspector",
    "DEFAULT_AUTHENTICATION_CLASSES": ["omnigent.accounts.authentication.PrincipalAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["sessions_app.access_table.HasRow"],
    "DEFAULT_RENDERER_CLASSES": ["omnigent.api.renderer.OrjsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "omnigent.api.renderer.AlwaysJson",
    "EXCEPTION_HANDLER": "omnigent.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_ROOT = DATA_DIR / "blobs"

# Logging ------------------------------------------------------------------------------------------
OMNIGENT_LOG_FORMAT = ENV.choice("OMNIGENT_LOG_FORMAT", "text", ("text", "json"))
OMNIGENT_LOG_LEVEL = ENV.choice(
    "OMNIGENT_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "omnigent.logs.KeyValueFormatter"},
        "json": {"()": "omnigent.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": OMNIGENT_LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "omnigent": {"level": OMNIGENT_LOG_LEVEL},
        "agents_app": {"level": OMNIGENT_LOG_LEVEL},
        "policies_app": {"level": OMNIGENT_LOG_LEVEL},
        "sessions_app": {"level": OMNIGENT_LOG_LEVEL},
        # Django warns about every 4xx; a client's mistake is the client's news.
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
        "django.request": {"level": "ERROR"},
    },
}

OMNIGENT_BAD_VALUES = tuple(ENV.bad_values)
