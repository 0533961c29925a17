"""Adversarial training: a training step that also fits the worst nearby input.

Knows gradients of embeddings, norms and the order of passes; nothing of trainers, optimizers or datasets; loads torch
when a step is made. One object, `Adversary`, takes the place of "compute the loss, go backward" in a training step:

    none     one pass, one backward: plain training
    fgm      clean pass, then one at r = eps g / |g|         Miyato, Dai, Goodfellow 2017, arXiv:1605.07725
    pgd      clean pass, k ascents inside the ball, one more  Madry et al. 2018, arXiv:1706.06083
    freelb   k passes, every ascent also trains the weights   Zhu et al. 2020, arXiv:1909.11764
    edits    clean pass, then one on a text whose words with
             the largest gradient carry typing errors         Li et al. 2019 (TextBugger), arXiv:1812.05271;
                                                              Ebrahimi et al. 2018 (HotFlip), arXiv:1712.06751

The perturbation is added to the *output* of the word embeddings (shape (rows, tokens, width)), by a hook that lives for
one step. Classic code for FGM changes the embedding *matrix* instead; that moves every occurrence of a word in the
batch alike, needs a copy to restore it, cannot work where the table is frozen (LoRA), and lets padding take part. Here
weights are never touched, every row has its own perturbation with its own norm, padding has none, and only the last
pass of fgm and pgd adds to the weights' gradients, so gradient accumulation, autocast and peft need no special care.

All passes of a step see the same dropout masks (Zhu et al., section 3.3): the random state of the first pass is
restored for the others, so the ascent climbs one function, and a step uses as much randomness as a plain one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from core.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Batch = Mapping[str, Any]
LossOf = Callable[[Batch], "Tensor"]
Method = Literal["none", "fgm", "pgd", "freelb", "edits"]


class AdversarialArgs(BaseModel):
    """The switch and the sizes. Norms are in units of the embedding table: a BERT word vector has length 1.2 to 1.5."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    method: Method = "none"
    """none | fgm | pgd | freelb perturb embeddings, edits letters. Cost in plain steps: 1, 2, steps + 1, steps, 2."""

    epsilon: float = Field(1.0, ge=0.0, le=100.0)
    """Largest norm of a row's perturbation; 0 is plain training. Recommended: fgm and pgd 1.0; Zhu et al. let freelb
    grow to .15 - .7 on GLUE. Miyato et al. use 5 on embeddings normalised to unit variance. Not used by edits."""

    step_size: float = Field(0.3, gt=0.0, le=100.0)
    """Length of one ascent of pgd and freelb. Recommended: pgd .3 (epsilon / 3), freelb .03 - .15."""

    steps: int = Field(3, ge=1, le=20)
    """Ascents of pgd and freelb. Recommended: 2 to 3; Madry et al. use 7 and more on images."""

    initial: float = Field(0.2, ge=0.0, le=100.0)
    """Size of freelb's random start, uniform in +-initial / sqrt(numbers in the row) (l2) or +-initial (linf).
    Recommended: .05 - .6, below epsilon. The other methods start at the text itself."""

    norm: Literal["l2", "linf"] = "l2"
    """l2: over all tokens of a row together, as in the papers; linf: every number by itself (epsilon .01 - .05)."""

    weight: float = Field(1.0, ge=0.0, le=100.0)
    """Weight of the perturbed loss beside the clean one's 1; both are divided by their sum, so the learning rate keeps
    its meaning. Miyato et al. use 1. Not used by freelb, which trains on perturbed passes alone."""

    edit_rate: float = Field(0.2, ge=0.0, le=1.0)
    """Share of a row's words that edits damages, at least one word; 0 is plain training. Only used by edits."""

    same_dropout: bool = True
    """Give all passes of one step the same dropout masks."""

    @property
    def active(self) -> bool:
        """Whether a step differs from plain training."""
        return self.method != "none" and (self.edit_rate if self.method == "edits" else self.epsilon) > 0


class Editor(Protocol):
    """Something that damages the texts of a batch where it hurts: `core.finetune.edits.WordEditor`."""

    def __call__(self, batch: Batch, saliency: Tensor, seed: int) -> Batch:
        """The batch with other input_ids and attention_mask.

        :param saliency: (n, t) float32, length of the loss's gradient at every token, 0 on padding.
        """


class Adversary:
    """The adversarial part of a training step."""

    def __init__(self, backbone: nn.Module, args: AdversarialArgs, *, editor: Editor | None = None) -> None:
        """Watch one backbone.

        :param backbone: encoder or decoder with `get_input_embeddings()`, bare or wrapped by peft; called by the loss
            with `attention_mask` as a keyword (a call without one counts every token as real).
        :param editor: needed by the method edits.
        :raises InputError: if the backbone has no input embeddings, or edits has no editor.
        """
        self.args = args
        self._backbone = backbone
        find = getattr(backbone, "get_input_embeddings", None)
        if not callable(find):
            raise InputError(f"{type(backbone).__name__} has no input embeddings; give a transformers model")
        self._embeddings: nn.Module = find()
        if args.method == "edits" and args.active and editor is None:
            raise InputError('adversarial method "edits" rewrites texts: this task offers no editor; use fgm or freelb')
        self._editor = editor
        self._deltas: list[Tensor] = []
        self._masks: list[Tensor] = []
        self._mask: Tensor | None = None
        self._call = 0
        self._start: torch.Generator | None = None

    def step(self, loss_of: LossOf, batch: Batch, backward: Callable[[Tensor], None]) -> Tensor:
        """One training step's gradients, added to those the weights already carry.

        :param loss_of: the mean loss of a batch, a scalar with a graph; enters autocast itself. It may call the
            backbone several times (an embedder's anchor and positive): each call gets its own perturbation.
        :param batch: what `loss_of` takes.
        :param backward: goes backward from a scalar, as `loss.backward()` or accelerate's; divides by the number of
            accumulated batches where there are several.
        :returns: () detached loss: of the clean pass; with freelb the mean over its passes.
        :raises InputError: if no gradient reached the embeddings (a loss that recomputes its passes, `inputs_embeds`).
        """
        if not self.args.active:
            loss = loss_of(batch)
            backward(loss)
            return loss.detach()
        with self._listening():
            if self.args.method == "freelb":
                return self._freelb(loss_of, batch, backward)
            return self._clean_and_perturbed(loss_of, batch, backward)

    def _clean_and_perturbed(self, loss_of: LossOf, batch: Batch, backward: Callable[[Tensor], None]) -> Tensor:
        import torch

        args, share = self.args, self.args.weight / (1 + self.args.weight)
        seed = int(torch.randint(2**31 - 1, ()).item()) if args.method == "edits" else 0
        states = _random_states(self._embeddings)
        clean = self._pass(loss_of, batch)
        backward(clean * (1 - share))
        gradients = self._gradients()
        self._restore(states)
        if args.method == "edits" and self._editor is not None:
            batch = self._editor(batch, gradients[0].norm(dim=-1), seed)
            self._deltas, self._masks = [], []
            backward(self._pass(loss_of, batch) * share)
            return clean.detach()
        length = args.epsilon if args.method == "fgm" else args.step_size
        self._climb(gradients, length)
        for _ in range(args.steps - 1 if args.method == "pgd" else 0):
            loss = self._pass(loss_of, batch)
            self._restore(states)
            self._climb([g.float() for g in torch.autograd.grad(loss, self._deltas)], length)
        backward(self._pass(loss_of, batch) * share)
        return clean.detach()

    def _freelb(self, loss_of: LossOf, batch: Batch, backward: Callable[[Tensor], None]) -> Tensor:
        import torch

        args = self.args
        losses: list[Tensor] = []
        self._start = torch.Generator().manual_seed(int(torch.randint(2**31 - 1, ()).item()))
        states = _random_states(self._embeddings)
        for step in range(args.steps):
            if step:
                self._restore(states)
            loss = self._pass(loss_of, batch)
            backward(loss / args.steps)
            losses.append(loss.detach())
            if step + 1 < args.steps:
                self._climb(self._gradients(), args.step_size)
        return torch.stack(losses).mean()

    def _pass(self, loss_of: LossOf, batch: Batch) -> Tensor:
        self._call, self._mask = 0, None
        return loss_of(batch)

    def _gradients(self) -> list[Tensor]:
        found = [delta.grad for delta in self._deltas]
        if not found or any(gradient is None for gradient in found):
            raise InputError(
                "adversarial training found no gradient at the word embeddings: the loss must call the backbone with "
                "input_ids and keep its graph; a cached loss does not. Choose another loss or adversarial method none"
            )
        return [gradient.float() for gradient in found if gradient is not None]

    def _climb(self, gradients: list[Tensor], length: float) -> None:
        """Move every perturbation up its gradient and back into the ball around the text."""
        for i, gradient in enumerate(gradients):
            moved = self._deltas[i].detach() + length * ascent(gradient * self._masks[i], self.args.norm)
            self._deltas[i] = project(moved, self.args.epsilon, self.args.norm).requires_grad_()

    def _restore(self, states: list[Tensor]) -> None:
        import torch

        if self.args.same_dropout:
            torch.set_rng_state(states[0])
            if len(states) > 1:
                torch.cuda.set_rng_state(states[1], self._device)

    @property
    def _device(self) -> torch.device:
        return next(self._embeddings.parameters()).device

    @contextmanager
    def _listening(self) -> Iterator[None]:
        hooks = [
            self._backbone.register_forward_pre_hook(self._note_mask, with_kwargs=True),
            self._embeddings.register_forward_hook(self._perturb),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._deltas, self._masks, self._mask = [], [], None

    def _note_mask(self, _module: nn.Module, _args: Any, kwargs: dict[str, Any]) -> None:
        self._mask = kwargs.get("attention_mask")

    def _perturb(self, _module: nn.Module, _args: Any, output: Tensor) -> Tensor | None:
        import torch

        if not torch.is_grad_enabled():
            return None
        if self._call == len(self._deltas):
            usable = self._mask is not None and self._mask.shape == output.shape[:2]
            mask = self._mask if usable and self._mask is not None else output.new_ones(output.shape[:2])
            mask = mask.detach().to(torch.float32).unsqueeze(-1)
            self._masks.append(mask)
            self._deltas.append(self._first(output.detach(), mask).requires_grad_())
        delta = self._deltas[self._call]
        self._call += 1
        return output + delta.to(output.dtype)

    def _first(self, output: Tensor, mask: Tensor) -> Tensor:
        import torch

        if self.args.method != "freelb" or self.args.initial == 0:
            return torch.zeros_like(output, dtype=torch.float32)
        start = torch.rand(output.shape, generator=self._start).to(output.device) * 2 - 1
        if self.args.norm == "l2":
            start = start / (mask.sum(dim=(1, 2), keepdim=True).clamp(min=1) * output.shape[-1]).sqrt()
        return project(start * self.args.initial * mask, self.args.epsilon, self.args.norm)


def ascent(gradient: Tensor, norm: Literal["l2", "linf"]) -> Tensor:
    """The direction of steepest ascent of length 1, row by row.

    :param gradient: (n, t, d) float32; rows that are 0 or not finite (an overflow under fp16 scaling) give 0.
    :returns: (n, t, d) float32: g / |g| over tokens and width (l2), sign(g) (linf).
    """
    import torch

    finite = torch.isfinite(gradient).all(dim=2, keepdim=True).all(dim=1, keepdim=True)
    gradient = torch.where(finite, gradient, torch.zeros_like(gradient))
    if norm == "linf":
        return gradient.sign()
    largest = gradient.abs().amax(dim=(1, 2), keepdim=True).clamp(min=1e-30)  # no underflow of squares
    scaled = gradient / largest
    unit: Tensor = scaled / scaled.norm(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    return unit


def project(delta: Tensor, epsilon: float, norm: Literal["l2", "linf"]) -> Tensor:
    """The nearest perturbation of norm at most epsilon, row by row.

    :param delta: (n, t, d) float32.
    :param epsilon: radius of the ball.
    """
    if norm == "linf":
        return delta.clamp(-epsilon, epsilon)
    length: Tensor = delta.norm(dim=(1, 2), keepdim=True)
    inside: Tensor = delta * (epsilon / length.clamp(min=1e-12)).clamp(max=1.0)
    return inside


def _random_states(module: nn.Module) -> list[Tensor]:
    """Random state of the CPU, and of the GPU the module is on."""
    import torch

    device = next(module.parameters()).device
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states
