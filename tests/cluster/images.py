"""Images without a registry and without Docker: built by buildah, based on a Debian made here by mmdebstrap."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import debs, docker, versions
from tests.cluster.binaries import binary
from tests.cluster.context import content_key
from tests.cluster.paths import cache_dir, locked
from tests.cluster.progress import ClusterError, last_lines, run, step

HOST_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
BUILD_CA_BUNDLE = "/run/build-ca.crt"


def build(
    ref: str, dockerfile: Path, context: Path, build_args: Mapping[str, str] | None = None, base: bool = True
) -> None:
    """Build `ref` unless it was already built from the very same content; `base` makes the Debian base image first.

    The machine's CA bundle is mounted while it builds; a Dockerfile that needs it declares `ARG PIP_CERT`,
    `ARG SSL_CERT_FILE` or `ARG UV_SYSTEM_CERTS`, none of which stay in the image's configuration.
    Raises ClusterError with the last lines of the build's log.
    """
    args = dict(build_args or {})
    if docker.answers():
        docker.build(ref, dockerfile, context, args)
        return
    debs.ensure(debs.IMAGE_PACKAGES)
    with locked("images"):
        base_id = _ensure_base() if base else ""
        ours = [image_id(name) or "" for name in own_bases(dockerfile.read_text())]
        key = content_key(dockerfile, context, args, " ".join([base_id, *ours]))
        record = cache_dir("images") / f"{_file_name(ref)}.json"
        before = image_id(ref)
        if _known(record, key) and before is not None:
            return
        record.unlink(missing_ok=True)
        log = cache_dir("logs") / f"image-{_file_name(ref)}.log"
        with step(f"build image {ref}"):
            run(_build_command(ref, dockerfile, context, args), what=f"image {ref}", env=environment(), log=log)
        record.write_text(json.dumps({"ref": ref, "key": key}))
        if before is not None and before != image_id(ref):
            # Layers that the new image shares stay; without this every change of a source file would fill the disk.
            subprocess.run([*buildah(), "rmi", before], env=environment(), capture_output=True, check=False)


def own_bases(dockerfile: str) -> list[str]:
    """The images of ours that a Dockerfile begins with: under the same name they may have become others."""
    return re.findall(r"^FROM\s+(?:--\S+\s+)*(localhost/\S+)", dockerfile, re.MULTILINE | re.IGNORECASE)


def image_id(ref: str) -> str | None:
    """The id of a built image; None when there is none of that name."""
    command = [*buildah(), "inspect", "--type", "image", "--format", "{{.FromImageID}}", ref]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None


def into_containerd(ref: str, socket: Path, log: Path) -> None:
    """Stream a built image into containerd's Kubernetes namespace, under the same name.

    Raises ClusterError with what buildah and ctr said.
    """
    if image_id(ref) is None:
        raise ClusterError(f"image {ref} is not built: expected tests.cluster.images.build to have been called for it")
    log.parent.mkdir(parents=True, exist_ok=True)
    push = [*buildah(), "push", "--quiet", ref, f"docker-archive:/dev/stdout:{ref}"]
    load = ["ctr", "--address", str(socket), "--namespace", "k8s.io", "images", "import", "-"]
    with step(f"load image {ref}"), log.open("w") as sink:
        with subprocess.Popen(push, env=environment(), stdout=subprocess.PIPE, stderr=sink) as source:
            done = subprocess.run(load, stdin=source.stdout, stdout=sink, stderr=subprocess.STDOUT, check=False)
        if source.returncode or done.returncode:
            raise ClusterError(f"loading image {ref} into {socket} failed\n{last_lines(log)}")


def build_system_images() -> list[str]:
    """The two images that every node needs, each one static binary; returns their names."""
    for ref, name in ((versions.PAUSE_IMAGE, "pause"), (versions.COREDNS_IMAGE, "coredns")):
        dockerfile = cache_dir("image-contexts") / f"Dockerfile.{name}"
        dockerfile.write_text(f'FROM scratch\nCOPY {name} /{name}\nUSER 65532:65532\nENTRYPOINT ["/{name}"]\n')
        build_around(ref, name, dockerfile)
    return [versions.PAUSE_IMAGE, versions.COREDNS_IMAGE]


def build_around(ref: str, name: str, dockerfile: Path) -> None:
    """Build `ref` from scratch around one of the cluster's static binaries, which is all of the build context."""
    context = cache_dir("image-contexts", name)
    shutil.copy2(binary(name), context / name)
    build(ref, dockerfile, context, base=False)


def storage() -> Path:
    """Where buildah keeps layers; mounts under it are buildah's."""
    return cache_dir("containers")


def buildah() -> list[str]:
    """buildah with storage of its own, so that it never meets the user's images."""
    root = storage()
    return ["buildah", "--root", f"{root}/storage", "--runroot", f"{root}/run", "--storage-driver", "overlay"]


def environment() -> dict[str, str]:
    """buildah keeps its cache mounts under TMPDIR; ours live in the cache, so wheels are downloaded once."""
    return {**os.environ, "TMPDIR": str(cache_dir("containers", "tmp")), "BUILDAH_ISOLATION": "chroot"}


def _build_command(ref: str, dockerfile: Path, context: Path, args: Mapping[str, str]) -> list[str | Path]:
    command: list[str | Path] = [*buildah(), "build", "--isolation", "chroot", "--network", "host", "--layers"]
    command += ["--pull-never", "--format", "docker", "--tag", ref, "--file", dockerfile]
    given = dict(args)
    if HOST_CA_BUNDLE.exists():
        command += ["--volume", f"{HOST_CA_BUNDLE}:{BUILD_CA_BUNDLE}:ro"]
        given |= {"PIP_CERT": BUILD_CA_BUNDLE, "SSL_CERT_FILE": BUILD_CA_BUNDLE, "UV_SYSTEM_CERTS": "1"}
    for name, value in sorted(given.items()):
        command += ["--build-arg", f"{name}={value}"]
    return [*command, context]


def _ensure_base() -> str:
    """The id of the base image, made from Debian's archive when it is not there. The tree is cached as a tar."""
    recipe = ["mmdebstrap", "--variant=minbase", *_as_slim(), versions.DEBIAN]
    folder = cache_dir("base", hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:12])
    record = folder / "image.id"
    made = image_id(versions.BASE_IMAGE)
    if made and record.exists() and record.read_text() == made:
        return made
    tree = folder / "base.tar"
    log = cache_dir("logs") / "base-image.log"
    if not tree.exists():
        partial = folder / "partial.tar"
        with step(f"make a minimal Debian {versions.DEBIAN}"):
            run([*recipe, partial], what="mmdebstrap", log=log)
        partial.rename(tree)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text('FROM scratch\nADD base.tar /\nCMD ["bash"]\n')
    (folder / "Dockerfile.dockerignore").write_text("*\n!base.tar\n")
    with step(f"import it as {versions.BASE_IMAGE}"):
        run(_build_command(versions.BASE_IMAGE, dockerfile, folder, {}), what="base image", env=environment(), log=log)
    made = image_id(versions.BASE_IMAGE)
    if made is None:
        raise ClusterError(f"{versions.BASE_IMAGE} is missing after its build; {last_lines(log)}")
    record.write_text(made)
    return made


def _as_slim() -> list[str]:
    """mmdebstrap's options for what Debian's own slim image leaves out, and tells dpkg and apt to go on leaving out."""
    clean = 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };'
    no_caches = 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";'
    write = 'rm -f "$1"/var/cache/apt/*.bin; cat > "$1/etc/apt/apt.conf.d/docker-clean" <<\'END\'\n'
    write += f"{clean}\n{no_caches}\nEND\n"
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "info", "locale")]
    return [*excluded, f"--customize-hook={write}"]


def _known(record: Path, key: str) -> bool:
    return record.exists() and json.loads(record.read_text()).get("key") == key


def _file_name(ref: str) -> str:
    readable = "".join(char if char.isalnum() else "-" for char in ref)[-60:]
    return f"{readable}-{hashlib.sha256(ref.encode()).hexdigest()[:8]}"
