# One image for each service, and one for the command line:
#   docker build --build-arg SERVICE=account -t florin/account .
#   docker build --target tools -t florin/tools .
# All services share one layer of third-party packages, so that a machine fetches and keeps it once. Built again, from
# the same base, commit and Debian packages, every layer has the same bytes: deploy/images/settle sees to the contents,
# and layers are made by `cp` and not by COPY, which would leave the time of the build on the folder that it fills.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
COPY deploy/images/uv.txt ./
RUN python3 -m venv /uv && /uv/bin/pip install -q --require-hashes --only-binary :all: -r uv.txt

# What the services and the command line want of others, by name: it changes seldom, unlike their code.
FROM build AS wanted
COPY deploy/images/third_party.py deploy/images/settle ./
COPY libs libs
COPY services services
COPY tools tools
RUN python3 third_party.py libs services >/services.txt && python3 third_party.py libs services tools >/tools.txt

# Versions and hashes are those of requirements.lock, or the build fails. Debug symbols are half of some packages.
FROM build AS service-packages
COPY requirements.lock deploy/images/install deploy/images/settle ./
COPY --from=wanted /services.txt wanted.txt
RUN --mount=type=cache,target=/root/.cache/uv ./install wanted.txt

FROM build AS tools-packages
COPY requirements.lock deploy/images/install deploy/images/settle ./
COPY --from=wanted /tools.txt wanted.txt
RUN --mount=type=cache,target=/root/.cache/uv ./install wanted.txt

# Our own code is built by uv itself, without the network: nothing that no hash vouches for can slip in.
FROM wanted AS service-code
ARG SERVICE
RUN test -n "$SERVICE" || { echo "name the service: --build-arg SERVICE=account" >&2; exit 2; } \
    && /uv/bin/uv pip install -q --offline --no-cache --no-deps --no-sources --target /opt/code ./libs/contracts ./libs/messaging \
       ./libs/service_kit "./services/$SERVICE" \
    && mkdir -p /opt/code/bin && cp -r "services/$SERVICE/migrations" /opt/code/migrations \
    && printf '#!/bin/sh\nexec python3 -m %s_service "$@"\n' "$SERVICE" >/opt/code/bin/florin-service \
    && chmod 755 /opt/code/bin/florin-service && ./settle /opt/code

FROM wanted AS tools-code
RUN /uv/bin/uv pip install -q --offline --no-cache --no-deps --no-sources --target /opt/code ./libs/* ./services/* ./tools/florin \
    && ./settle /opt/code

# What runs: no compiler, no package manager of Python, one user without rights.
FROM ${PYTHON_IMAGE} AS runtime
RUN --mount=type=bind,source=deploy/images,target=/mnt \
    touch /tmp/begun \
    && rm -rf "$(python3 -c 'import pip; print(pip.__path__[0])')" $(command -v pip pip3) \
    && groupadd --gid 10001 florin \
    && SOURCE_DATE_EPOCH=0 useradd --uid 10001 --gid 10001 --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin florin \
    && install -m 644 /mnt/ready.py /mnt/sbom.py /opt/ \
    && find /etc /opt /usr -xdev -newer /tmp/begun -exec touch -h -d @0 {} + && rm /tmp/begun && touch -d @0 /tmp
ENV PATH=/opt/code/bin:/opt/packages/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/code PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

FROM runtime AS tools
RUN --mount=type=bind,from=tools-packages,source=/opt/packages,target=/mnt cp -a /mnt /opt/packages && touch -d @0 /opt
RUN --mount=type=bind,from=tools-code,source=/opt/code,target=/mnt cp -a /mnt /opt/code && touch -d @0 /opt
USER 10001:10001
WORKDIR /tmp
HEALTHCHECK NONE
ENTRYPOINT ["python3", "-m", "florin"]
CMD ["--help"]
ARG PYTHON_IMAGE VERSION=dev REVISION=unknown CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="florin/tools" \
      org.opencontainers.image.description="Florin's command line: secrets, roles, topology, imports, verification" \
      org.opencontainers.image.vendor="Florin" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"

FROM runtime AS service
RUN --mount=type=bind,from=service-packages,source=/opt/packages,target=/mnt cp -a /mnt /opt/packages && touch -d @0 /opt
RUN --mount=type=bind,from=service-code,source=/opt/code,target=/mnt cp -a /mnt /opt/code && touch -d @0 /opt
ENV FLORIN_MIGRATIONS_DIR=/opt/code/migrations \
    FLORIN_HTTP_HOST=0.0.0.0 FLORIN_HTTP_PORT=8080 FLORIN_INTERNAL_HOST=0.0.0.0 FLORIN_INTERNAL_PORT=9090
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=120s --retries=3 CMD ["python3", "-I", "-S", "/opt/ready.py"]
ENTRYPOINT ["florin-service"]
CMD ["all"]
ARG PYTHON_IMAGE SERVICE VERSION=dev REVISION=unknown CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="florin/${SERVICE}" \
      org.opencontainers.image.description="Florin's ${SERVICE} service: api, worker, all or migrate" \
      org.opencontainers.image.vendor="Florin" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
