# redisproxy's image: the program, the libraries that it links, and nothing else: no shell, no package manager.
#
#     docker build -t redisproxy .                       or buildah build, podman build; --platform linux/arm64 as well
#     docker run -v $PWD/proxy.conf:/etc/redisproxy/proxy.conf:ro -p 6379:6379 -p 6380:6380 -p 8888:8888 redisproxy
#
# or with the settings of one group in the environment: docker run -e REDISPROXY_MASTER_SENTINELS=a:26379,b:26379 ... redisproxy
#
# It is cross-compiled with Debian's compiler: no emulation is needed for another platform. "make test-image" builds it,
# starts it and looks at it.
#
# BASE is what it is built in; of it only libraries reach the image. A release pins it: ask a registry for the digest of
# the day with
#     skopeo inspect --format '{{.Digest}}' docker://debian:bookworm-slim
# and write "debian:bookworm-slim@sha256:..." as the default here (that is a commit), or give it as --build-arg BASE=...
# There is none yet: where this file was written no registry could be asked, and a digest is not guessed.
ARG BASE=debian:bookworm-slim

FROM --platform=$BUILDPLATFORM ${BASE} AS build
ARG TARGETARCH
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# The packages that it is built with, of the machine that it is built for. The program itself depends on their versions:
# which they were stands in the image's SBOM.
RUN own=$(dpkg --print-architecture); \
    TARGETARCH=${TARGETARCH:-$own}; \
    case "$TARGETARCH" in amd64|arm64) ;; *) echo "no image is made for $TARGETARCH" >&2; exit 1 ;; esac; \
    compiler="gcc libc6-dev"; \
    if [[ "$TARGETARCH" != "$own" ]]; then \
        dpkg --add-architecture "$TARGETARCH"; \
        case "$TARGETARCH" in \
            arm64) compiler="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;; \
            amd64) compiler="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;; \
        esac; \
    fi; \
    apt-get -qq update; \
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install ca-certificates binutils make pkg-config uthash-dev $compiler \
        {libuv1,libhiredis,libmicrohttpd,libinih,libcjson,libssl,libsodium,libgnutls28,libsystemd}-dev:"$TARGETARCH"; \
    rm -rf /var/lib/apt/lists/*

# The program is the same, bit for bit, wherever it is built.
ARG FOLDER=/src
ARG SOURCE_DATE_EPOCH=0
WORKDIR ${FOLDER}
COPY . .
RUN case "$TARGETARCH:$(dpkg --print-architecture)" in \
        arm64:amd64) cross=aarch64-linux-gnu ;; \
        amd64:arm64) cross=x86_64-linux-gnu ;; \
        *) cross= ;; \
    esac; \
    rm -rf build; \
    make CROSS="$cross" WARNINGS_ARE_ERRORS=; \
    "${cross:+$cross-}strip" -o /redisproxy "build/${cross:+$cross/}redisproxy"; \
    SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" packaging/rootfs.sh /redisproxy "$(cat VERSION)" /root/image

FROM scratch
ARG VERSION=
ARG REVISION=
ARG CREATED=
COPY --from=build /root/image/ /
LABEL org.opencontainers.image.title="redisproxy" \
      org.opencontainers.image.description="Sentinel-aware proxy for Redis: clients do not notice that the master changed" \
      org.opencontainers.image.licenses="BSD-2-Clause" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# A number, so that Kubernetes can see that it is not root's (runAsNonRoot).
USER 65532:65532
EXPOSE 6379 6380 8888
STOPSIGNAL SIGTERM
# The program asks its own /readyz. Kubernetes does not look at this; its probes ask /healthz and /readyz.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["/usr/bin/redisproxy", "--check", "-c", "/etc/redisproxy/proxy.conf"]
ENTRYPOINT ["/usr/bin/redisproxy"]
CMD ["-c", "/etc/redisproxy/proxy.conf"]
