"""The files that an image is built from: the build context as the ignore file leaves it, and a hash of them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


def content_key(dockerfile: Path, context: Path, build_args: Mapping[str, str], base: str) -> str:
    """Changes when the image would: the Dockerfile, a file of the context, a build argument or the base image."""
    digest = hashlib.sha256(f"{base}\n{sorted(build_args.items())}\n".encode())
    digest.update(dockerfile.read_bytes())
    for path in context_files(dockerfile, context):
        name = path.relative_to(context).as_posix()
        digest.update(f"{name}\0{path.lstat().st_mode:o}\0".encode())
        digest.update(os.readlink(path).encode() if path.is_symlink() else path.read_bytes())
    return digest.hexdigest()


def context_files(dockerfile: Path, context: Path) -> Iterator[Path]:
    """The files that the builder would be sent, in a stable order; `.git` folders never count."""
    rules = ignore_rules(_ignore_file(dockerfile, context))
    negated = any(keep for _, keep in rules)
    for folder, names, files in os.walk(context):
        here = Path(folder)
        names[:] = sorted(
            name for name in names if name != ".git" and (negated or not ignored(rules, here / name, context))
        )
        for file in sorted(files):
            if not ignored(rules, here / file, context):
                yield here / file


def ignore_rules(text: str) -> list[tuple[re.Pattern[str], bool]]:
    """(pattern, keep) of each line of an ignore file in Docker's syntax; `keep` for lines that begin with `!`."""
    rules = []
    for raw in text.splitlines():
        line = raw.strip()
        if line and not line.startswith("#"):
            keep = line.startswith("!")
            rules.append((_pattern(line.lstrip("!").strip().strip("/")), keep))
    return rules


def ignored(rules: Sequence[tuple[re.Pattern[str], bool]], path: Path, context: Path) -> bool:
    """Whether the last rule that names `path` or one of its folders leaves it out."""
    name = path.relative_to(context).as_posix()
    verdict = False
    for pattern, keep in rules:
        if pattern.match(name):
            verdict = not keep
    return verdict


def _ignore_file(dockerfile: Path, context: Path) -> str:
    own = dockerfile.with_name(dockerfile.name + ".dockerignore")
    for candidate in (own, context / ".containerignore", context / ".dockerignore"):
        if candidate.exists():
            return candidate.read_text()
    return ""


def _pattern(line: str) -> re.Pattern[str]:
    translated = ""
    for token in re.findall(r"\*\*/?|\*|\?|[^*?]+", line):
        match token:
            case "**/":
                translated += "(?:.*/)?"
            case "**":
                translated += ".*"
            case "*":
                translated += "[^/]*"
            case "?":
                translated += "[^/]"
            case _:
                translated += re.escape(token)
    return re.compile(f"{translated}(?:/.*)?$")  # a folder's name covers what is in it
