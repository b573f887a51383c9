# One file for every image that runs our code; backing servers have theirs under images/.
# Targets: platform (any service), gateway (platform + Envoy), operator, samples (platform + sample documents), tests.
# Written for the classic builder (no BuildKit syntax): layer order is the cache, so what changes most comes last.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS python
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

# What the lock says, compiled, outside the application's folder. uv itself stays behind in this stage.
FROM python AS dependencies
ARG UV_VERSION=0.13.9
ARG UV_SHA256=d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19
ARG PYPI_INDEX=
ENV UV_PROJECT_ENVIRONMENT=/opt/venv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 \
    UV_SYSTEM_CERTS=1 PYPI_INDEX=${PYPI_INDEX}
RUN python3 -m venv /opt/uv && echo "uv==${UV_VERSION} --hash=sha256:${UV_SHA256}" > /opt/uv/wanted.txt \
 && PIP_INDEX_URL=${PYPI_INDEX:-https://pypi.org/simple} \
    /opt/uv/bin/pip install --no-cache-dir --quiet --require-hashes --only-binary=:all: -r /opt/uv/wanted.txt
# From a mirror by way of an export: the lock's own addresses are files.pythonhosted.org's, and uv goes there whatever
# index it is told. The checksums are the lock's either way.
RUN printf '%s\n' '#!/bin/sh -eu' 'PATH=/opt/uv/bin:$PATH python=/usr/bin/python3' \
    'test -n "$PYPI_INDEX" || exec uv sync --frozen --no-install-project --python $python "$@"' \
    'uv export --frozen --quiet --no-emit-project --output-file /tmp/wanted.txt "$@"' \
    'uv venv --quiet --allow-existing --python $python /opt/venv' \
    'uv pip sync --require-hashes --default-index "$PYPI_INDEX" --python /opt/venv /tmp/wanted.txt' \
    > /opt/uv/bin/sync-lock && chmod +x /opt/uv/bin/sync-lock
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN /opt/uv/bin/sync-lock --no-dev

FROM python AS runtime
COPY --from=dependencies /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/app
WORKDIR /app
COPY suuupra ./suuupra
RUN python -m compileall -q suuupra
USER 65532:65532
ENTRYPOINT ["python", "-m", "suuupra"]

FROM runtime AS platform
ARG SERVICE
COPY services ./services
ENV SUUUPRA_SERVICE=${SERVICE}

# Extras are carried as the difference to the shared environment, so that the large layer below is stored once.
FROM dependencies AS gateway-dependencies
RUN touch /before \
 && /opt/uv/bin/sync-lock --no-dev --extra gateway \
 && mkdir /difference && find /opt/venv -not -type d -cnewer /before -print0 | tar -c --null -T - | tar -x -C /difference

FROM runtime AS gateway
COPY --from=gateway-dependencies /difference /
ARG SERVICE
COPY services ./services
ENV SUUUPRA_SERVICE=${SERVICE}

FROM runtime AS samples
USER 0:0
# The published slim image drops /usr/share/doc on install, so the package is unpacked rather than installed.
RUN apt-get update && cd /tmp && apt-get download python3.13-doc && dpkg-deb -x python3.13-doc_*.deb docs \
 && mkdir -p /usr/local/share/documents && mv docs/usr/share/doc/python3.13/html /usr/local/share/documents/python \
 && rm -rf /tmp/* /var/lib/apt/lists/* /var/cache/apt/*
USER 65532:65532
ARG SERVICE
COPY services ./services
ENV SUUUPRA_SERVICE=${SERVICE}

FROM dependencies AS operator-dependencies
RUN touch /before \
 && /opt/uv/bin/sync-lock --no-dev --extra operator \
 && mkdir /difference && find /opt/venv -not -type d -cnewer /before -print0 | tar -c --null -T - | tar -x -C /difference

FROM runtime AS operator
USER 0:0
# pg_dump of the server's own major version, for snapshots before a database is deleted.
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client-17 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
USER 65532:65532
COPY --from=operator-dependencies /difference /
COPY operator/suuupra_operator ./suuupra_operator
# Of each service only what is special to its alerts.
COPY services ./services
ENV SUUUPRA_OPERATOR_SERVICES=/app/services
ENTRYPOINT ["python", "-m", "suuupra_operator"]
CMD ["run"]

# Everything the lock knows, so that unit tests run in the image's Python as well as the host's.
FROM dependencies AS tests
RUN /opt/uv/bin/sync-lock --all-extras
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/app:/app/operator:/app/hack
