"""Training data: files to rows, rows to halves, what is wrong with them, more of them. Loads no torch."""

from core.finetune.data.augment import Augmented, AugmentReport, AugmentSettings, augment
from core.finetune.data.dialogues import read_dialogues
from core.finetune.data.examples import (
    Dialogue,
    Example,
    Labelled,
    Pair,
    Plain,
    Rows,
    Tagged,
    content,
    fingerprint,
    label_list,
    sequence,
    tag_list,
)
from core.finetune.data.labelled import HeadColumn, parse_heads, read_labelled
from core.finetune.data.pairs import read_pairs
from core.finetune.data.perturb import KINDS, Kind, perturb, perturb_all
from core.finetune.data.plain import read_plain, stream_plain
from core.finetune.data.repeats import Conflict, Repeat
from core.finetune.data.report import DataReport, Part, examine
from core.finetune.data.resolve import Policy, Resolved, resolve
from core.finetune.data.split import Halves, few, folds, split
from core.finetune.data.tables import DataLimits
from core.finetune.data.tagged import read_tagged, spans_to_tags, to_bio

__all__ = [
    "KINDS",
    "AugmentReport",
    "AugmentSettings",
    "Augmented",
    "Conflict",
    "DataLimits",
    "DataReport",
    "Dialogue",
    "Example",
    "Halves",
    "HeadColumn",
    "Kind",
    "Labelled",
    "Pair",
    "Part",
    "Plain",
    "Policy",
    "Repeat",
    "Resolved",
    "Rows",
    "Tagged",
    "augment",
    "content",
    "examine",
    "few",
    "fingerprint",
    "folds",
    "label_list",
    "parse_heads",
    "perturb",
    "perturb_all",
    "read_dialogues",
    "read_labelled",
    "read_pairs",
    "read_plain",
    "read_tagged",
    "resolve",
    "sequence",
    "spans_to_tags",
    "split",
    "stream_plain",
    "tag_list",
    "to_bio",
]
