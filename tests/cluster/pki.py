"""One CA per cluster, the certificates of its components, and kubeconfigs that carry them inside."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.progress import run

DAYS = "3650"


@dataclass(frozen=True)
class KeyPair:
    """Paths of a PEM certificate and its private key."""

    cert: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """A certificate authority in `folder`; every certificate is made once and then reused."""

    folder: Path

    @property
    def ca(self) -> KeyPair:
        """The authority's own certificate, made at the first call."""
        pair = self._pair("ca")
        if not pair.cert.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"]
            self._request(pair, "/CN=fairlead-test-cluster", extensions, [])
        return pair

    def issue(self, name: str, subject: str, hosts: Sequence[str] = ()) -> KeyPair:
        """A certificate for clients, and for servers too when `hosts` (names or IPv4 addresses) are given.

        `subject` is in OpenSSL's form, say `/O=system:masters/CN=admin`.
        """
        pair = self._pair(name)
        if pair.cert.exists():
            return pair
        ca = self.ca
        extensions = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth,serverAuth"]
        if hosts:
            names = [f"{'IP' if host.replace('.', '').isdigit() else 'DNS'}:{host}" for host in hosts]
            extensions.append("subjectAltName=" + ",".join(names))
        self._request(pair, subject, extensions, ["-CA", str(ca.cert), "-CAkey", str(ca.key)])
        return pair

    def service_account_keys(self) -> KeyPair:
        """The key pair that signs service account tokens; `cert` is the public key here."""
        pair = KeyPair(self.folder / "service-account.pub", self.folder / "service-account.key")
        if not pair.cert.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            what = "service account keys"
            run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", pair.key], what=what)
            run(["openssl", "ec", "-in", pair.key, "-pubout", "-out", pair.cert], what=what)
        return pair

    def _pair(self, name: str) -> KeyPair:
        return KeyPair(self.folder / f"{name}.crt", self.folder / f"{name}.key")

    def _request(self, pair: KeyPair, subject: str, extensions: Sequence[str], signer: Sequence[str]) -> None:
        command = ["openssl", "req", "-x509", "-config", "/dev/null", "-newkey", "ec", "-nodes"]
        command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", DAYS, "-subj", subject, *signer]
        for extension in extensions:
            command += ["-addext", extension]
        partial = pair.cert.with_suffix(".partial")
        run([*command, "-keyout", str(pair.key), "-out", str(partial)], what=f"certificate {pair.cert.name}")
        partial.rename(pair.cert)


def write_kubeconfig(path: Path, server: str, ca: Path, client: KeyPair) -> Path:
    """A kubeconfig with everything inside, so that the file alone can be copied; readable by its owner only."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fairlead",
        "contexts": [{"name": "fairlead", "context": {"cluster": "fairlead", "user": "fairlead"}}],
        "clusters": [
            {"name": "fairlead", "cluster": {"server": server, "certificate-authority-data": _base64(ca)}},
        ],
        "users": [
            {
                "name": "fairlead",
                "user": {
                    "client-certificate-data": _base64(client.cert),
                    "client-key-data": _base64(client.key),
                },
            },
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))  # JSON is YAML
    return path


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
