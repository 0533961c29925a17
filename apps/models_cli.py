"""The verbs `triptych models ...`: which models there are, prepare, check, publish, roll back.

Knows the catalog, the artifact store and preparation; of the apps only what `prepare` is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.console import hint, put_json, put_table, say, size

if TYPE_CHECKING:
    from apps.house import App
    from core.models.artifacts import Artifact, ArtifactStore

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Name = Annotated[str, typer.Argument(help="A published model, as `triptych models list` names it.")]
Chosen = Annotated[str | None, typer.Option("--version", help="This version, as in 0002.")]


def _store() -> ArtifactStore:
    from core.models.artifacts import ArtifactStore
    from core.settings import CoreSettings

    return ArtifactStore(CoreSettings().models_folder)


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Every published version, and the embedded models that are not prepared yet."""
    store = _store()
    rows = [_row(artifact) for artifact in store.list()]
    if as_json:
        put_json(rows)
        return
    if not rows:
        say(f"No model is published in {store.root}. Run `triptych models prepare`.")
        return
    shown = [
        (
            row["name"],
            row["version"],
            "in force" if row["current"] else "",
            row["kind"],
            size(row["bytes"]),
            row["created"][:16].replace("T", " "),
        )
        for row in rows
    ]
    put_table(("model", "version", "", "kind", "size", "published"), shown)


@app.command()
def show(name: Name, version: Chosen = None, as_json: AsJson = False) -> None:
    """One model: where it came from, its files, how it was proved."""
    artifact = _store().resolve(name, version, verify=False)
    if as_json:
        put_json({**_row(artifact), "manifest": artifact.manifest.values})
        return
    say(f"{artifact.name} {artifact.version}" + (" (in force)" if artifact.current else ""), "bold")
    manifest = artifact.manifest
    facts = [("kind", manifest.kind), ("published", manifest.created), ("folder", artifact.folder)]
    facts += [(f"source {key}", value) for key, value in manifest.source.items()]
    facts += [(f"tool {key}", value) for key, value in dict(manifest.values.get("tools", {})).items()]
    put_table(("", ""), facts)
    put_table(
        ("file", "size", "sha256"),
        [(path, size(int(entry["bytes"])), entry["sha256"]) for path, entry in manifest.files.items()],
    )
    if manifest.parity is not None:
        put_table(("compared with torch", ""), _flat(manifest.parity))


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="One model; none means all.")] = None, as_json: AsJson = False
) -> None:
    """Hash every file of every version against its manifest. Exit code 1 if one differs."""
    rows = _store().verify(name)
    wrong = [row for row in rows if row[2]]
    if as_json:
        put_json([{"name": n, "version": v, "error": problem or None} for n, v, problem in rows])
    else:
        put_table(("model", "version", "state"), [(n, v, problem or "sound") for n, v, problem in rows])
    if wrong:
        raise typer.Exit(1)


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="The name to publish under.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the model's files.", exists=True, file_okay=False)],
    kind: Annotated[str, typer.Option(help="encoder, generator or classifier; loaders check it.")] = "model",
    as_json: AsJson = False,
) -> None:
    """Publish a folder of model files as a new version and put it in force."""
    import shutil

    def build(target: Path) -> None:
        shutil.copytree(folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))

    _say_in_force(_store().publish(name, build, kind=kind, source={"folder": str(folder.resolve())}), as_json)


@app.command()
def predict(
    name: Annotated[str, typer.Argument(help="A published classifier, tagger or reranker.")],
    texts: Annotated[list[str], typer.Argument(help="Texts; of a reranker the passages.")],
    pair: Annotated[
        str | None, typer.Option(help="The other text of every pair, as a reranker's query.", show_default="none")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What a published model says of texts."""
    from core.settings import CoreSettings
    from core.web.published import Shelf

    queries, second = (texts, None) if pair is None else ([pair] * len(texts), texts)
    answered = Shelf(CoreSettings()).say(name, queries, second)
    if as_json:
        put_json(answered.model_dump())
        return
    rows = []
    for text, said in zip(texts, answered.results, strict=True):
        shown = "; ".join(f"{p.label} {p.probability:.2f}" for each in said.labels.values() for p in each)
        entities = "; ".join(f"{text[e.start : e.end]} = {e.label} {e.probability:.2f}" for e in said.entities or ())
        rows.append((text, shown or entities or "nothing"))
    put_table(("text", f"{name} {answered.version}"), rows)


@app.command()
def rollback(name: Name, version: Chosen = None, as_json: AsJson = False) -> None:
    """Put the version before the current one in force, or the one asked for."""
    _say_in_force(_store().rollback(name, version), as_json)


@app.command()
def prune(
    names: Annotated[list[str] | None, typer.Argument(help="Models; none means all.")] = None,
    keep: Annotated[int, typer.Option(min=1, help="Versions of each to keep, newest first.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Delete old versions; the one in force always stays."""
    store = _store()
    removed = {name: store.prune(name, keep) for name in names or store.names()}
    if as_json:
        put_json(removed)
        return
    put_table(("model", "removed"), [(name, ", ".join(versions) or "none") for name, versions in removed.items()])


def _say_in_force(artifact: Artifact, as_json: bool) -> None:
    if as_json:
        put_json(_row(artifact))
    else:
        say(f"{artifact.name} {artifact.version} is in force.", "green")
        hint("A running server takes it at its next start.")


def _row(artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "version": artifact.version,
        "current": artifact.current,
        "kind": artifact.manifest.kind,
        "created": artifact.manifest.created,
        "bytes": artifact.manifest.bytes,
        "folder": str(artifact.folder),
    }


def _flat(values: Any, prefix: str = "") -> list[tuple[str, object]]:
    if isinstance(values, dict):
        return [row for key, value in values.items() for row in _flat(value, f"{prefix}{key}.")]
    if isinstance(values, list) and any(isinstance(item, dict) for item in values):
        return [row for item in values for row in _flat(item, prefix)]
    return [(prefix.rstrip("."), values)]


def add_prepare(apps: Sequence[App]) -> None:
    """Hang the verb `prepare` into the tree; it also calls `prepare` of each app's train.py, where there is one, whose
    models its `PREPARED` names.
    """

    @app.command()
    def prepare(
        names: Annotated[
            list[str] | None,
            typer.Argument(
                help="Catalog names, folders, hub ids, or what an app makes, as answerability; none means what the "
                "settings and apps ask for. Only what is named here takes the place of a model of your own."
            ),
        ] = None,
        force: Annotated[
            bool, typer.Option("--force", help="Make again what is published already; models of your own stay.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Unpack, export, compare with torch and publish the models; what is published and sound is left alone.

        The one command that may download: a hub id that is not in its cache.
        """
        from apps.house import load_settings
        from core.export.prepare import prepare as run
        from core.models.artifacts import ArtifactStore
        from core.progress import Bar

        settings, asked = load_settings(), set(names or ())
        store = ArtifactStore(settings.models_folder)
        before = {name: store.current(name) for name in store.names()}
        parts = [(member, member.part("train")) for member in apps]
        of_apps = asked & {name for _, part in parts for name in getattr(part, "PREPARED", ())}
        others = [name for name in names or () if name not in of_apps]
        with Bar() as bar:
            prepared = run(settings, others or None, force=force, progress=bar) if others or not asked else []
            for member, part in parts:
                make, named = getattr(part, "prepare", None), bool(of_apps & set(getattr(part, "PREPARED", ())))
                if make is not None and (named or not asked):
                    told = {"named": True} if named else {}
                    made = make(member.settings_class()(), force=force, progress=bar, **told)
                    prepared += made if isinstance(made, list) else [made]
        if as_json:
            put_json([_row(artifact) for artifact in prepared])
            return
        put_table(("model", "version", "size"), [(a.name, a.version, size(a.manifest.bytes)) for a in prepared])
        for artifact in prepared if force else ():
            if before.get(artifact.name) == artifact.version:
                hint(f"{artifact.name} {artifact.version} is your own and stays; name it to replace it.")
