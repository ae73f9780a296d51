"""The four images of the demo."""

from dataclasses import dataclass
from pathlib import Path

from tests.cluster import images
from tests.cluster.context import content_key
from tests.cluster.interface import Cluster

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Image:
    """One image and the Dockerfile that it is built from; the context is the repository."""

    ref: str
    dockerfile: Path

    def provide(self, cluster: Cluster) -> None:
        """Build it unless nothing changed, and give it to the node unless it has it."""
        images.build(self.ref, self.dockerfile, ROOT)
        cluster.load(self.ref)

    @property
    def content(self) -> str:
        """Changes when the image would, though its tag stays."""
        return content_key(self.dockerfile, ROOT, {}, "")[:12]


OPERATOR = Image("localhost/fairlead-operator:dev", ROOT / "operator" / "Dockerfile")
SERVING = Image("localhost/fairlead-serving:dev", ROOT / "serving" / "Dockerfile")
TRAINER = Image("localhost/fairlead-trainer:dev", ROOT / "examples" / "training" / "Dockerfile")
MLFLOW = Image("localhost/fairlead-mlflow:dev", ROOT / "examples" / "platform" / "Dockerfile.mlflow")
ALL = (MLFLOW, OPERATOR, TRAINER, SERVING)
