# Nginx of Debian 12 with the module, meshctl, and an example configuration.
#
#   docker run -p 127.0.0.1:8443:8443 -v "$PWD/mesh:/etc/mesh:ro" IMAGE
#
# nginx-conf/image.conf says what the directory holds; scripts/image builds this.
# Two Debian 12 bases; the first has Rust.

ARG RUST_IMAGE=docker.io/library/rust:1-bookworm
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build

COPY scripts/setup scripts/setup
RUN scripts/setup build

COPY Cargo.toml Cargo.lock build.rs ./
COPY scripts/build scripts/build
COPY src src

# Both secrets are optional, and never part of a layer: how cargo reaches its registry, and whom it
# believes there.
RUN --mount=type=secret,id=cargo-config,target=/.cargo/config.toml \
    --mount=type=secret,id=ca-certificates,target=/run/secrets/ca-certificates \
    if [ -s /run/secrets/ca-certificates ]; then \
        export CARGO_HTTP_CAINFO=/run/secrets/ca-certificates; \
    fi; \
    scripts/build

# Keys of nobody, with which the finished image is checked below; none of them gets into it.
RUN mkdir -p /check/jwks /check/tls && \
    build/meshctl key generate --alg ES256 --out /check/signer.jwk --jwks /check/jwks/idp.json && \
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
        -subj /CN=localhost -keyout /check/tls/gateway.key -out /check/tls/gateway.pem && \
    chmod -R a+rX /check


FROM ${DEBIAN_IMAGE}

# Paths in the examples of nginx-conf/ are relative: with these links each of them works as
# /etc/nginx/nginx.conf, with what it names in /etc/mesh and its logs on the container's output.
# /var/lib/nginx is all that Nginx writes to.
# Not pinned: a rebuild is how security updates get in.
# hadolint ignore=DL3008
RUN apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates nginx && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/*.log && \
    mkdir /etc/mesh && \
    for name in credentials jwks policies tls; do ln -s "/etc/mesh/$name" "/etc/nginx/$name"; done && \
    ln -s /var/log/nginx /usr/share/nginx/logs && \
    ln -sf /dev/stdout /var/log/nginx/access.log && \
    ln -sf /dev/stderr /var/log/nginx/error.log && \
    chown 65532:65532 /var/lib/nginx

COPY --chmod=644 LICENSE /usr/share/doc/ngx_http_mesh_module/LICENSE
COPY --chmod=644 --from=build /build/build/ngx_http_mesh_module.so /usr/lib/nginx/modules/
COPY --chmod=755 --from=build /build/build/meshctl /usr/local/bin/
COPY --chmod=644 nginx-conf/image.conf /etc/nginx/nginx.conf

USER 65532:65532

# The two bases can be of different age: is this the Nginx that the module was built for? Its output
# goes through a pipe of this user, because not every builder lets the user open its own.
RUN --mount=type=bind,from=build,source=/check/jwks,target=/etc/mesh/jwks \
    --mount=type=bind,from=build,source=/check/tls,target=/etc/mesh/tls \
    output=$(/usr/sbin/nginx -t -g 'pid /var/lib/nginx/nginx.pid;' 2>&1) || \
        { echo "$output"; exit 1; }; \
    rm -f /var/lib/nginx/nginx.pid

EXPOSE 8443

# Finishes the requests that it has begun.
STOPSIGNAL SIGQUIT

# Asks for /health over the loopback device; a configuration without it needs another check.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 2 status <&3 && [[ $status == 'HTTP/1.1 204 '* ]]"]

ENTRYPOINT ["/usr/sbin/nginx", "-g", "daemon off; pid /var/lib/nginx/nginx.pid;"]

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ngx_http_mesh_module" \
    org.opencontainers.image.description="Nginx that verifies tokens and peer certificates, limits each verified service, and hands the identity to the platform behind it" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
