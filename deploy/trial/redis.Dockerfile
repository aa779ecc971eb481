# Debian's Redis, for a machine that cannot pull Redis's own image; used by deploy/compose.trial.yml only.
FROM python:3.11-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=999 --group=1000 /data
USER 999:1000
WORKDIR /data
CMD ["redis-server"]
