"""What an image is built on."""

from tests.cluster.images import own_bases


def test_images_of_ours_that_a_dockerfile_begins_with_are_named() -> None:
    stages = ["debian:bookworm-slim AS build", "--platform=linux/amd64 localhost/a:dev", "localhost/b:1 AS c"]
    text = "".join(f"FROM {stage}\nUSER 0\n" for stage in stages)
    assert own_bases(text) == ["localhost/a:dev", "localhost/b:1"]
