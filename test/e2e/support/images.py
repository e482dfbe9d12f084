"""Small things to move that nobody has seen before: an image, an index of
images for several platforms, a chart.

Each has `layout`, a folder as OCI lays it out with its tag "1", and `archive`,
what the client that it is made for takes as a file.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
import uuid
from pathlib import Path

OCI = "application/vnd.oci.image"
MANIFEST, INDEX = f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
HELM = "application/vnd.cncf.helm"


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


class Layout:
    """A folder of blobs, and of one of them by the tag "1"."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.blobs = self.folder / "blobs/sha256"
        self.blobs.mkdir(parents=True)

    def blob(self, media, data, **more):
        """Writes it; how it is named in what holds it."""
        (self.blobs / digest(data)[7:]).write_bytes(data)
        return {"mediaType": media, "digest": digest(data),
                "size": len(data), **more}

    def manifest(self, config, *layers):
        return self.blob(MANIFEST, json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config,
            "layers": layers}).encode())

    def finish(self, entries):
        """Writes the index; a single entry has the tag. The index's bytes."""
        if len(entries) == 1:
            entries = [entries[0] | {
                "annotations": {"org.opencontainers.image.ref.name": "1"}}]
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                            "manifests": entries}).encode()
        (self.folder / "index.json").write_bytes(index)
        (self.folder / "oci-layout").write_text(
            '{"imageLayoutVersion":"1.0.0"}')
        return index


class Image:
    """`archive`: what `docker load` reads, of the name `name`."""

    def __init__(self, folder, size=2000, architecture="amd64"):
        folder = Path(folder)
        layer = tar_of({"hello": os.urandom(size)})
        packed = gzip.compress(layer, mtime=0)
        config = json.dumps({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
            "history": [{"created_by": "test"}]}).encode()
        self.name = f"local/{uuid.uuid4()}:1"
        self.layer, self.layout = digest(packed), folder / "layout"
        layout = Layout(self.layout)
        self.entry = layout.manifest(
            layout.blob(f"{OCI}.config.v1+json", config),
            # oras takes what has a title for a file.
            layout.blob(f"{OCI}.layer.v1.tar+gzip", packed, annotations={
                "org.opencontainers.image.title":
                f"{architecture}.tar.gz"}))
        layout.finish([self.entry])
        self.archive = folder / "image.tar"
        self.archive.write_bytes(tar_of({
            "layer.tar": layer, "config.json": config,
            "manifest.json": json.dumps([{
                "Config": "config.json", "Layers": ["layer.tar"],
                "RepoTags": [self.name]}]).encode()}))


class Index:
    """An image for each of two platforms. `flat`: a layout whose own index it
    is, for those who push all of a layout; `archive`: that as a tar."""

    platforms = ["amd64", "arm64"]

    def __init__(self, folder):
        folder = Path(folder)
        self.name = f"local/{uuid.uuid4()}:1"
        self.images = [Image(folder / name, architecture=name)
                       for name in self.platforms]
        self.layout, self.flat = folder / "layout", folder / "flat"
        self.archive = folder / "index.tar"
        layout, flat = Layout(self.layout), Layout(self.flat)
        for image in self.images:
            for blob in (image.layout / "blobs/sha256").iterdir():
                for into in layout.blobs, flat.blobs:
                    (into / blob.name).write_bytes(blob.read_bytes())
        entries = [{**image.entry, "platform": {"os": "linux",
                                                "architecture": name}}
                   for image, name in zip(self.images, self.platforms)]
        layout.finish([layout.blob(INDEX, flat.finish(entries))])
        with tarfile.open(self.archive, "w") as tar:
            tar.add(self.flat, ".")


class Chart:
    """What helm pushes; its name is the repository's last word, its version
    the tag. `archive`: as `helm package` packs it."""

    def __init__(self, folder, repository, size=2000):
        folder = Path(folder)
        name, version = repository.rpartition("/")[2].split(":")
        about = {"apiVersion": "v2", "name": name, "version": version}
        packed = gzip.compress(tar_of({
            f"{name}/Chart.yaml": json.dumps(about).encode(),
            f"{name}/values.yaml": b"# " + os.urandom(size).hex().encode(),
        }), mtime=0)
        self.layout = folder / "layout"
        layout = Layout(self.layout)
        layout.finish([layout.manifest(
            layout.blob(f"{HELM}.config.v1+json", json.dumps(about).encode()),
            layout.blob(f"{HELM}.chart.content.v1.tar+gzip", packed))])
        self.archive = folder / f"{name}-{version}.tgz"
        self.archive.write_bytes(packed)
