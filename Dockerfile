# Two images from one file: `--target web` has no torch, `--target worker` has it for the CPU, or with
# `--build-arg TORCH=cuda` for NVIDIA's GPUs. Every base is pinned by its full version.

FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

# --- The style sheet and the upload island --------------------------------------------------------------------------
FROM node:24.19.0-bookworm-slim AS assets
WORKDIR /app
COPY frontend-island/package.json frontend-island/package-lock.json frontend-island/.npmrc frontend-island/
RUN npm ci --prefix frontend-island --no-audit --no-fund
COPY transcribe/theme/static_src/package.json transcribe/theme/static_src/package-lock.json transcribe/theme/static_src/
RUN npm ci --prefix transcribe/theme/static_src --no-audit --no-fund
COPY frontend-island frontend-island
RUN npm run build --prefix frontend-island
# The style sheet holds the classes that these name.
COPY templates templates
COPY static/js static/js
COPY transcribe/theme transcribe/theme
RUN npm run build --prefix transcribe/theme/static_src

# --- Python, and the account that everything runs on ----------------------------------------------------------------
FROM python:3.12.13-slim-bookworm AS base
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/srv/transcribe \
    MEDIA_ROOT=/srv/transcribe/media \
    MODEL_FOLDER=/srv/transcribe/models
# A fixed number, so that volumes and shared folders have an owner that can be named. New volumes take the folder's.
RUN groupadd --gid 10001 transcribe \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin transcribe \
    && install --directory --owner transcribe --group transcribe --mode 0750 /srv/transcribe/media /srv/transcribe/models
WORKDIR /app

# --- Packages, exactly those of uv.lock -----------------------------------------------------------------------------
FROM base AS packages
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
COPY pyproject.toml uv.lock .python-version ./

FROM packages AS packages-web
RUN uv sync --locked --no-default-groups

FROM packages AS packages-worker-cuda
RUN uv sync --locked --no-default-groups --group worker

# The lock knows one torch, the one with CUDA, which is useless without 3 GB of NVIDIA's libraries. Here they stay away,
# and the same version of torch comes from its own index of builds for the CPU; that one file is not in the lock.
FROM packages AS packages-worker-cpu
COPY deploy/without_cuda.sh deploy/
ARG TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
RUN deploy/without_cuda.sh "$TORCH_CPU_INDEX"

ARG TORCH=cpu
# hadolint ignore=DL3006
FROM packages-worker-${TORCH} AS packages-worker

# --- The code -------------------------------------------------------------------------------------------------------
FROM base AS code
COPY manage.py ./
COPY accounts accounts
COPY jobs jobs
COPY worker worker
COPY locale locale
COPY templates templates
COPY static static
COPY transcribe transcribe
COPY deploy/make_secrets.py deploy/sign_in_ready.py deploy/
# Readable whatever the umask of the checkout was; and compiled, because nothing can be written at run time.
RUN chmod -R a+rX . && python -m compileall -q accounts jobs transcribe worker

# --- Static files, hashed and compressed ----------------------------------------------------------------------------
FROM code AS collected
COPY --from=packages-web /app/.venv .venv
COPY --from=assets /app/static/island static/island
COPY --from=assets /app/transcribe/theme/static transcribe/theme/static
# Settings want a key and a database to be named; this key is made here, used by nothing, and gone with this step.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    DATABASE_URL=postgresql://nobody@nowhere/none ALLOWED_HOSTS=build.invalid \
    python manage.py collectstatic --no-input --verbosity 0

# --- What serves pages ----------------------------------------------------------------------------------------------
FROM code AS web
COPY --from=packages-web /app/.venv .venv
COPY --from=collected /app/transcribe/theme/static transcribe/theme/static
COPY --from=collected /app/static static
COPY --from=collected /srv/transcribe/static /srv/transcribe/static
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "transcribe.web", "--check"]
ENTRYPOINT ["python"]
CMD ["-m", "transcribe.web", "--host", "0.0.0.0", "--port", "8000"]

# --- What transcribes -----------------------------------------------------------------------------------------------
FROM code AS worker
COPY --from=packages-worker /app/.venv .venv
# The wheels of CUDA bring their own libraries; the driver comes from the host.
ENV XDG_CACHE_HOME=/tmp/cache NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
# It asks the database when this container's worker was last seen (0.9 s of a core); the start loads a model.
HEALTHCHECK --interval=60s --timeout=20s --start-period=10m --retries=3 CMD ["python", "manage.py", "worker_health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python"]
CMD ["manage.py", "worker"]
