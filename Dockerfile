# One image for each service, and one for the command line:
#   docker build --build-arg SERVICE=account -t florin/account .
#   docker build --target tools -t florin/tools .
# All services share one layer of third-party packages, so that a machine fetches and keeps it once.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
COPY deploy/images/uv.txt ./
RUN python3 -m venv /uv && /uv/bin/pip install -q --require-hashes --only-binary :all: -r uv.txt

# What the services and the command line want of others, by name: it changes seldom, unlike their code.
FROM build AS wanted
COPY deploy/images/third_party.py ./
COPY libs libs
COPY services services
COPY tools tools
RUN python3 third_party.py libs services >/services.txt && python3 third_party.py libs services tools >/tools.txt

# Versions and hashes are those of requirements.lock, or the build fails. Debug symbols are half of some packages.
FROM build AS service-packages
COPY requirements.lock deploy/images/install ./
COPY --from=wanted /services.txt wanted.txt
RUN --mount=type=cache,target=/root/.cache/uv ./install wanted.txt

FROM build AS tools-packages
COPY requirements.lock deploy/images/install ./
COPY --from=wanted /tools.txt wanted.txt
RUN --mount=type=cache,target=/root/.cache/uv ./install wanted.txt

# Our own code is built by uv itself, without the network: nothing that no hash vouches for can slip in.
FROM wanted AS service-code
ARG SERVICE
RUN test -n "$SERVICE" || { echo "name the service: --build-arg SERVICE=account" >&2; exit 2; } \
    && /uv/bin/uv pip install -q --offline --no-cache --no-deps --no-sources --compile-bytecode --target /opt/code ./libs/contracts ./libs/messaging \
       ./libs/service_kit "./services/$SERVICE" \
    && mkdir -p /opt/code/bin && cp -r "services/$SERVICE/migrations" /opt/code/migrations \
    && printf '#!/bin/sh\nexec python3 -m %s_service "$@"\n' "$SERVICE" >/opt/code/bin/florin-service \
    && chmod 755 /opt/code/bin/florin-service

FROM wanted AS tools-code
RUN /uv/bin/uv pip install -q --offline --no-cache --no-deps --no-sources --compile-bytecode --target /opt/code ./libs/* ./services/* ./tools/florin

# What runs: no compiler, no package manager of Python, one user without rights.
FROM ${PYTHON_IMAGE} AS runtime
RUN rm -rf "$(python3 -c 'import pip; print(pip.__path__[0])')" $(command -v pip pip3) \
    && groupadd --gid 10001 florin \
    && useradd --uid 10001 --gid 10001 --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin florin
ENV PATH=/opt/code/bin:/opt/packages/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/code PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY deploy/images/ready.py deploy/images/sbom.py /opt/
USER 10001:10001
WORKDIR /tmp
ARG VERSION=dev REVISION=unknown CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.vendor="Florin" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="python:3.13-slim"

FROM runtime AS tools
LABEL org.opencontainers.image.title="florin/tools" \
      org.opencontainers.image.description="Florin's command line: secrets, roles, topology, imports, verification"
COPY --from=tools-packages /opt/packages /opt/packages
COPY --from=tools-code /opt/code /opt/code
HEALTHCHECK NONE
ENTRYPOINT ["python3", "-m", "florin"]
CMD ["--help"]

FROM runtime AS service
ARG SERVICE
LABEL org.opencontainers.image.title="florin/${SERVICE}" \
      org.opencontainers.image.description="Florin's ${SERVICE} service: api, worker, all or migrate"
COPY --from=service-packages /opt/packages /opt/packages
COPY --from=service-code /opt/code /opt/code
ENV FLORIN_MIGRATIONS_DIR=/opt/code/migrations \
    FLORIN_HTTP_HOST=0.0.0.0 FLORIN_HTTP_PORT=8080 FLORIN_INTERNAL_HOST=0.0.0.0 FLORIN_INTERNAL_PORT=9090
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=120s --retries=3 CMD ["python3", "-I", "-S", "/opt/ready.py"]
ENTRYPOINT ["florin-service"]
CMD ["all"]
