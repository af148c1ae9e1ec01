"""All settings, and the only reader of the environment. Every variable has a row in docs/settings.md.

A bad value stops the start with a sentence that names the variable. Pure code never imports this module.
"""

import ssl
from datetime import timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.management.utils import get_random_secret_key

from gateway import database, firstkeys, seeds
from gateway.environment import Environment, bad
from gateway.look import UNFOLD  # noqa: F401 - read by the console's theme

BASE_DIR = Path(__file__).resolve().parent.parent

ENVIRONMENT = Environment()
env = ENVIRONMENT
env.read_file(BASE_DIR / env.text("DRAGOMAN_ENV_FILE", ".env"))

# --- where things live -----------------------------------------------------------------------------------------------

DATA_DIR = BASE_DIR / env.text("DRAGOMAN_DATA_DIR", "data")
DATABASES = {
    "default": database.parse(env.secret("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'dragoman.sqlite3'}", BASE_DIR)
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.secret("REDIS_URL") or None

# Beside the SQLite file; None for a database that several hosts may share.
_KEYS_DIR = Path(DATABASES["default"]["NAME"]).parent if DATABASES["default"]["ENGINE"] == database.SQLITE else None
if _KEYS_DIR:
    _KEYS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

SECRET_KEY = firstkeys.secret_or_file(env, "SECRET_KEY", _KEYS_DIR and _KEYS_DIR / "secret_key", get_random_secret_key)
ENCRYPTION_KEYS_FILE = (
    _KEYS_DIR / "encryption_keys" if _KEYS_DIR and not env.is_set("DRAGOMAN_ENCRYPTION_KEYS") else None
)
"""Where the keys stand; None where the environment gives them."""
DRAGOMAN_ENCRYPTION_KEYS = [
    key.strip()
    for key in firstkeys.secret_or_file(
        env, "DRAGOMAN_ENCRYPTION_KEYS", ENCRYPTION_KEYS_FILE, firstkeys.encryption_key
    ).split(",")
    if key.strip()
]
"""The first encrypts, all decrypt."""
try:
    for _key in DRAGOMAN_ENCRYPTION_KEYS:
        Fernet(_key)
except ValueError:
    raise bad("DRAGOMAN_ENCRYPTION_KEYS", "must hold Fernet keys (32 bytes in url-safe base64), separated by commas")

# --- the server ------------------------------------------------------------------------------------------------------

DEBUG = env.boolean("DRAGOMAN_DEBUG", False)
HOST = env.text("HOST", "127.0.0.1")
SEEDS = seeds.read(env, Path.cwd())
"""What the programs that came before left in the environment and in files; `bootstrap` makes upstreams of it."""
PORT = seeds.port(env, SEEDS.droid_config)
WEB_CONCURRENCY = env.integer("WEB_CONCURRENCY", 1, 1, 256)
DRAGOMAN_SHUTDOWN_SECONDS = env.integer("DRAGOMAN_SHUTDOWN_SECONDS", 30, 0, 3600)

_LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
_HERE = [] if HOST in ("0.0.0.0", "::", "127.0.0.1", "localhost") else [f"[{HOST}]" if ":" in HOST else HOST]  # noqa: S104
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or _LOOPBACK + _HERE
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
"""Networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""

ROOT_URLCONF = "gateway.urls"
ASGI_APPLICATION = "gateway.asgi.application"
APPEND_SLASH = False

# --- who may call ----------------------------------------------------------------------------------------------------

ENABLE_CLIENT_AUTH = env.boolean("ENABLE_CLIENT_AUTH", True)
ALLOW_ANONYMOUS_ACCESS = env.boolean("ALLOW_ANONYMOUS_ACCESS", False)
METRICS_PUBLIC = env.boolean("DRAGOMAN_METRICS_PUBLIC", False)
ADMIN_USERNAME = env.text("ADMIN_USERNAME", "admin")
ADMIN_PASSWORD = env.secret("ADMIN_PASSWORD") or None

# --- bounds ----------------------------------------------------------------------------------------------------------

DRAGOMAN_MAX_BODY_MB = env.integer("DRAGOMAN_MAX_BODY_MB", 64, 1, 4096)
DRAGOMAN_MAX_EVENT_MB = env.integer("DRAGOMAN_MAX_EVENT_MB", 16, 1, 1024)
DRAGOMAN_MAX_ANSWER_MB = env.integer("DRAGOMAN_MAX_ANSWER_MB", 64, 1, 4096)
DRAGOMAN_FETCH_MEDIA = env.boolean("DRAGOMAN_FETCH_MEDIA", False)
DATA_UPLOAD_MAX_MEMORY_SIZE = DRAGOMAN_MAX_BODY_MB * 2**20

# --- the way to upstreams --------------------------------------------------------------------------------------------

DRAGOMAN_CA_FILE = env.text("DRAGOMAN_CA_FILE") or None
"""PEM certificates of authorities that are trusted beside the system's."""
if DRAGOMAN_CA_FILE:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(BASE_DIR / DRAGOMAN_CA_FILE)
    except OSError:  # ssl.SSLError is one
        raise bad("DRAGOMAN_CA_FILE", "must name a readable file of certificates in PEM")
    DRAGOMAN_CA_FILE = str(BASE_DIR / DRAGOMAN_CA_FILE)
DRAGOMAN_PROXY_CHECK_SECONDS = env.integer("DRAGOMAN_PROXY_CHECK_SECONDS", 30, 0, 86_400)
"""Seconds between two looks at proxies that have failed; 0: only requests find out."""
DRAGOMAN_REFRESH_TOKENS = env.boolean("DRAGOMAN_REFRESH_TOKENS", True)
"""The server itself keeps OAuth tokens fresh."""

# --- history and logs ------------------------------------------------------------------------------------------------

HISTORY_BODIES = env.choice("HISTORY_BODIES", "all", ("all", "errors", "none"))
LOG_RETENTION_DAYS = env.integer("LOG_RETENTION_DAYS", 30, 0, 36500)
DRAGOMAN_HISTORY_BODY_KB = env.integer("DRAGOMAN_HISTORY_BODY_KB", 256, 1, 10**6)
"""Cap of one stored layer."""
DRAGOMAN_REASONING_HOURS = env.integer("DRAGOMAN_REASONING_HOURS", 24, 0, 24 * 365)
"""How long reasoning proofs are remembered for callers that cannot keep them."""
DRAGOMAN_RESPONSES_DAYS = env.integer("DRAGOMAN_RESPONSES_DAYS", 30, 0, 36500)
"""How long Responses are kept for callers who wish it; 0: not at all."""
DRAGOMAN_JOURNAL_MAX_MB = env.integer("DRAGOMAN_JOURNAL_MAX_MB", 1024, 1, 10**6)

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), str.upper)
LOG_FORMAT = env.choice("LOG_FORMAT", "console", ("console", "json"))
LOG_FILE_PATH = env.text("LOG_FILE_PATH") or None
LOGGING_CONFIG = "gateway.logs.configure"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT, "file": LOG_FILE_PATH}

# --- applications ----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
    "corsheaders",
    "accounts",
    "proxyapp",
]

# For the console and the management API; the inference paths have a handler of their own without any middleware.
MIDDLEWARE = [
    "gateway.middleware.believe_trusted_proxies",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "gateway.middleware.secure_cookies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

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

# The gateway's own views choose their authentication; nothing is open by accident and nothing renders HTML forms.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "proxyapp.api.management.description.Managed",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Dragoman",
    "DESCRIPTION": "A gateway for large language models: inference in four dialects, and the management of its keys.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "/static/dragoman/favicon.svg",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"docExpansion": "list", "persistAuthorization": False, "validatorUrl": None},
    "PREPROCESSING_HOOKS": ["proxyapp.api.management.description.without_second_paths"],
    "POSTPROCESSING_HOOKS": ["proxyapp.api.management.description.complete"],
}

LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "gateway.formats"

# --- static files: served from the packages, no collectstatic --------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_USE_MANIFEST = False
SERVESTATIC_USE_STATIC_ROOT = False
SERVESTATIC_AUTOREFRESH = DEBUG
SERVESTATIC_ALLOW_ALL_ORIGINS = False

# --- the console's doors ---------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=5)
# Name and address together: nobody can lock the operator out from elsewhere by failing on purpose.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_CALLABLE = "accounts.signin.locked_out"
AXES_VERBOSE = False
AXES_COOLOFF_MESSAGE = "Too many wrong passwords. Sign-in for this name from this address is locked for 5 minutes."

SECURE_COOKIES = env.boolean("DRAGOMAN_SECURE_COOKIES", False)
"""True: cookies are Secure always; else on requests that came over https."""
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_NAME = "dragoman_session"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = SECURE_COOKIES
CSRF_COOKIE_NAME = "dragoman_csrf"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
X_FRAME_OPTIONS = "DENY"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# 'unsafe-eval': the console's theme ships the standard Alpine build, which compiles its attributes.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# With keys required, a page of any origin may call the inference paths: it must bring a key, and no cookie counts
# there. With anonymous access only the origins that were named may.
_ORIGINS = env.origins("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_ALL_ORIGINS = "*" in _ORIGINS or (not _ORIGINS and ENABLE_CLIENT_AUTH and not ALLOW_ANONYMOUS_ACCESS)
CORS_ALLOWED_ORIGINS = [origin for origin in _ORIGINS if origin != "*"]
CORS_ALLOW_CREDENTIALS = False
CORS_URLS_REGEX = r"^/(v1|v1beta|chat/completions|embeddings|models)(/|$|\?|:)"
CORS_ALLOW_HEADERS = ["authorization", "*"]  # the star does not cover authorization
