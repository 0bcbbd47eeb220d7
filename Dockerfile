# syntax=docker/dockerfile:1
# Perdure as one image: a worker by default, `perdure` with any other arguments.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG NODE_IMAGE=node:24-bookworm-slim

# Message DB's SQL comes from its npm package; its checksum is verified again when it is installed into a database.
FROM ${NODE_IMAGE} AS message-db
ARG MESSAGE_DB_VERSION=1.3.1
WORKDIR /cache
RUN npm pack "@eventide/message-db@${MESSAGE_DB_VERSION}"

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/perdure
RUN python -m venv venv
COPY requirements-image.lock app/
RUN --mount=type=cache,target=/root/.cache/pip \
    venv/bin/pip install --require-hashes --requirement app/requirements-image.lock
COPY . app/
RUN venv/bin/pip install --no-deps --no-build-isolation --editable app \
    && venv/bin/python -m compileall -q app
COPY --from=message-db /cache cache/

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin perdure \
    && install --directory --owner perdure --group perdure /var/lib/perdure /workspace
COPY --from=build /opt/perdure /opt/perdure
ENV PATH=/opt/perdure/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PERDURE_CACHE=/opt/perdure/cache \
    PERDURE_HOME=/var/lib/perdure \
    PERDURE_LOG_FORMAT=json \
    PERDURE_WORKSPACE=/workspace
USER perdure
WORKDIR /workspace
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 CMD ["perdure", "doctor", "--json"]
ENTRYPOINT ["perdure"]
CMD ["worker"]
