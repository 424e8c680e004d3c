#!/usr/bin/env bash
# Build the Dockerfile's target cpu where no Docker engine is, and start it without a network: tools/check_image.sh
# Wants root, buildah and debootstrap (Debian: apt-get install buildah debootstrap), 25 GB of disk and some minutes.
# In the place of the base image stands a Debian 12 with its own Python 3.11, so that no image is fetched.
set -euo pipefail
cd "$(dirname "$0")/.."

base=docker.io/library/python:3.11-slim
scratch=$(mktemp -d)
container=
trap 'rm -rf "$scratch"; [ -z "$container" ] || buildah rm "$container" >/dev/null' EXIT

if [ -z "$(buildah images --quiet "$base" 2>/dev/null)" ]; then
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$scratch/root"
    cp /etc/ssl/certs/ca-certificates.crt "$scratch/root/etc/ssl/certs/" # it trusts what this machine trusts
    empty=$(buildah from scratch)
    buildah add --quiet "$empty" "$scratch/root" /
    buildah config --env PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
        --env PIP_CERT=/etc/ssl/certs/ca-certificates.crt "$empty"
    buildah commit --quiet --format docker "$empty" "$base"
    buildah rm "$empty"
fi

# What is said to the build reaches pip as in the Dockerfile: PIP_EXTRA_INDEX_URL=... tools/check_image.sh
buildah bud --isolation chroot --network host --pull-never --format docker --layers --target cpu \
    --build-arg PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL:-}" --tag faceinp:cpu .

cat >"$scratch/inside.sh" <<'INSIDE'
set -eu
test "$(id -u)" -ne 0
echo "It runs as $(id -un); its network is: $(tail -n +3 /proc/net/dev | cut -d: -f1 | xargs)"
make demo ARGS="--host 0.0.0.0" >/tmp/log 2>&1 &
page=$!
trap 'kill $page' EXIT
started=$(date +%s)
until .venv/bin/python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860', timeout=5)" 2>/dev/null; do
    [ $(($(date +%s) - started)) -lt 300 ] || { cat /tmp/log; exit 1; }
    sleep 1
done
echo "Its health check passes after $(($(date +%s) - started)) s"
.venv/bin/python - <<'PYTHON'
import skimage.data
from gradio_client import Client, handle_file
from PIL import Image

Image.fromarray(skimage.data.astronaut()).save("/tmp/photo.png")
client = Client("http://127.0.0.1:7860", verbose=False, httpx_kwargs={"timeout": 300})
_, facts = client.predict(photo=handle_file("/tmp/photo.png"), preset="eyes", api_name="/fill")
assert facts["engine"] == "landmark" and facts["changed_pixels"] == 0 and facts["identity"], facts
print("It fills a face with the weights inside")
PYTHON
INSIDE

container=$(buildah from --pull-never localhost/faceinp:cpu)
cp "$scratch/inside.sh" "$(buildah mount "$container")/tmp/inside.sh"
# An empty network namespace, which the container shares; its user is the image's.
export container
unshare --net sh -c 'ip link set lo up && buildah run --isolation chroot --network host "$container" -- sh /tmp/inside.sh'
