# syntax=docker/dockerfile:1
# Two stages: the first makes the virtual environment from the locked, hashed requirements; the second holds it and the
# code, and nothing that builds. No secret is in the image: what a first start makes lies in /data.
#
#   docker build -t dragoman .
#   docker run --name dragoman -p 127.0.0.1:8000:8000 -v dragoman-data:/data --stop-timeout 45 dragoman

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/python -m pip install --quiet --require-hashes --only-binary=:all: -r requirements.txt \
    && /venv/bin/python -m pip uninstall --quiet --yes pip
WORKDIR /app
COPY manage.py ./
COPY gateway gateway
COPY accounts accounts
COPY proxyapp proxyapp
COPY templates templates
RUN /venv/bin/python -m compileall -q manage.py gateway accounts proxyapp

FROM python:3.12-slim
LABEL org.opencontainers.image.title="Dragoman" \
      org.opencontainers.image.description="A self-hosted LLM gateway: one address, every dialect, everything visible." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --system --gid 10001 dragoman \
    && useradd --system --uid 10001 --gid dragoman --home-dir /data --no-create-home --shell /usr/sbin/nologin dragoman \
    && install -d -o dragoman -g dragoman -m 0700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
# Behind 0.0.0.0 the console answers under loopback names only: set ALLOWED_HOSTS to the names people open it under.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DRAGOMAN_DATA_DIR=/data
USER dragoman
VOLUME /data
EXPOSE 8000
# Room for DRAGOMAN_SHUTDOWN_SECONDS: stop the container with a timeout above it (compose.yaml does).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health/live\", timeout=4)"]
# Arguments of `docker run` go to `serve`, such as `--workers 2`.
ENTRYPOINT ["/bin/sh", "-c", "python manage.py bootstrap && exec python manage.py serve \"$@\"", "dragoman"]
