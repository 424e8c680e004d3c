# The page in a container. Its steps are the Makefile's: what installs here installs on any machine.
#
#   docker build --target cpu --build-arg PIP_EXTRA_INDEX_URL=... -t faceinp .     # torch's package index for CPU builds
#   docker run -p 127.0.0.1:7860:7860 faceinp
#   docker build --target gpu -t faceinp:gpu .
#   docker run --gpus all -p 127.0.0.1:7860:7860 faceinp:gpu

FROM python:3.11-slim AS source
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home faceinp
WORKDIR /app
COPY pyproject.toml constraints.txt Makefile README.md LICENSE ./
COPY faceinp faceinp
COPY demo demo
COPY export export
COPY weights weights

FROM source AS installed
ARG PIP_EXTRA_INDEX_URL=
RUN PIP_NO_CACHE_DIR=1 make install-demo

# Weights are inside, and the hub is told to be out of reach: nothing is fetched when it starts.
FROM installed AS cpu
USER faceinp
ENV PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
EXPOSE 7860
HEALTHCHECK --start-period=60s --timeout=10s \
    CMD [".venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860', timeout=5)"]
CMD ["make", "demo", "ARGS=--host 0.0.0.0"]

# torch of the plain package index brings CUDA along; the driver is the host's.
FROM cpu AS gpu
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
