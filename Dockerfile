# vrfbgp as a container: beside an egress node's other containers, in the node's network namespace.
#
#   docker build -t vrfbgp .
#   docker run --network host --read-only --cap-drop ALL --cap-add NET_ADMIN \
#       -v /etc/vrfbgp:/etc/vrfbgp:ro -v vrfbgp-state:/var/lib/vrfbgp -v vrfbgp-run:/run/vrfbgp vrfbgp
#
# It runs as a user without rights. The one capability that it needs, CAP_NET_ADMIN, its own copy of Python may have by
# the file (capabilities(7)), so the container must be allowed that, and no-new-privileges must not be set.
# To wait for peers on port 179 (`passive`), allow it one more: --cap-add NET_BIND_SERVICE. Of both the file gives what the
# container is allowed, and the process that writes to the kernel alone keeps it.
# Where nothing can be fetched: `--build-arg BASE=` an image with Python and its venv module and setcap(8), and wheels of
# the project and of all that it needs in .cache/wheels (`pip wheel -w .cache/wheels .`).
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS base
RUN python3 -c 'import ensurepip' 2>/dev/null && type setcap >/dev/null 2>&1 || { \
        apt-get update && apt-get install -y --no-install-recommends python3 python3-venv libcap2-bin \
        && rm -rf /var/lib/apt/lists/*; }

FROM base AS build
COPY LICENSE .cache/wheels/*.wh[l] /wheels/
COPY pyproject.toml README.md /src/
COPY vrfbgp /src/vrfbgp/
COPY templates /src/templates/
RUN python3 -m venv --copies /opt/vrfbgp \
    && if ls /wheels/*.whl >/dev/null 2>&1; then \
           /opt/vrfbgp/bin/pip install --no-cache-dir --no-index --find-links /wheels vrfbgp; \
       else \
           /opt/vrfbgp/bin/pip install --no-cache-dir /src; \
       fi

FROM base
COPY --from=build /opt/vrfbgp /opt/vrfbgp
RUN useradd --system --uid 979 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin vrfbgp \
    && install -d -o vrfbgp -g vrfbgp /run/vrfbgp /var/lib/vrfbgp \
    && /opt/vrfbgp/bin/vrfbgp --version \
    && setcap cap_net_admin,cap_net_bind_service+p "$(readlink -f /opt/vrfbgp/bin/python3)"
ENV PATH=/opt/vrfbgp/bin:/usr/sbin:/usr/bin:/sbin:/bin VRFBGP_CONFIG=/etc/vrfbgp PYTHONDONTWRITEBYTECODE=1
VOLUME ["/run/vrfbgp", "/var/lib/vrfbgp"]
USER vrfbgp
ENTRYPOINT ["vrfbgp"]
CMD ["run"]
