"""A small image that nobody has seen before, in the two forms of archives."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

OCI = "application/vnd.oci.image"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files):
    """A tar of {name: bytes}, folders included."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Image:
    """`layout`: a folder (OCI); `archive`: what `docker load` reads."""

    def __init__(self, folder, size=2000):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        layer = tar_of({"hello": os.urandom(size)})
        packed = gzip.compress(layer, mtime=0)
        config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
            "history": [{"created_by": "test"}]}).encode()
        self.layer = digest(packed)
        self.layout = folder / "layout"
        self.archive = folder / "image.tar"
        self._write_layout(config, packed)
        self.archive.write_bytes(tar_of({
            "layer.tar": layer, "config.json": config,
            "manifest.json": json.dumps([{
                "Config": "config.json", "Layers": ["layer.tar"],
                "RepoTags": ["local/image:1"]}]).encode()}))

    def _write_layout(self, config, packed):
        blobs = self.layout / "blobs/sha256"
        blobs.mkdir(parents=True)

        def blob(kind, data):
            (blobs / digest(data)[7:]).write_bytes(data)
            return {"mediaType": f"{OCI}.{kind}", "digest": digest(data),
                    "size": len(data)}
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json",
            "config": blob("config.v1+json", config),
            "layers": [blob("layer.v1.tar+gzip", packed)]}).encode()
        entry = blob("manifest.v1+json", manifest) | {
            "annotations": {"org.opencontainers.image.ref.name": "1"}}
        (self.layout / "index.json").write_text(json.dumps(
            {"schemaVersion": 2, "manifests": [entry]}))
        (self.layout / "oci-layout").write_text(
            '{"imageLayoutVersion":"1.0.0"}')
