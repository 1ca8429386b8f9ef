"""One training loop for all networks: budgeted, seeded, resumable, logged."""

import contextlib
import json
import math
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from ..writing import written


@contextlib.contextmanager
def half_precision(device="cpu"):
    """bfloat16 where the machine multiplies in it: 1.7 times as fast on one core of a Zen 4."""
    with contextlib.ExitStack() as stack:
        if device != "cpu" or torch.cpu._is_avx512_bf16_supported():
            stack.enter_context(torch.autocast(device, torch.bfloat16))
        if device == "cpu":  # the fused attention's backward pass is slow there
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield


class Average:
    """Exponential moving average of a network's weights (Polyak & Juditsky 1992)."""

    def __init__(self, net, decay=0.999):
        self.decay, self.steps = decay, 0
        self.state = {k: v.detach().clone() for k, v in net.state_dict().items()}

    def update(self, net):
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        state = {key: value.detach() for key, value in net.state_dict().items()}
        real = [key for key, value in state.items() if value.is_floating_point()]
        torch._foreach_lerp_(  # at once: a GPU is kept waiting by hundreds of little calls
            [self.state[key] for key in real], [state[key] for key in real], 1 - decay
        )
        for key in state.keys() - real:
            self.state[key].copy_(state[key])


class Budget:
    """How far a run is, 0 to 1, by steps or by minutes, whichever ends first.

    One that goes on has spent some of these already, or, with `further`, has that much more.
    """

    def __init__(self, steps=None, minutes=None, spent=0.0, further=False):
        self.steps, self.minutes, self.further = steps, minutes, further
        self.start = time.monotonic() - 60 * spent

    def resume(self, minutes):
        self.start -= 60 * minutes
        if self.further and self.minutes:
            self.minutes += minutes

    @property
    def spent(self):
        return (time.monotonic() - self.start) / 60

    def progress(self, step):
        parts = [0.0]
        if self.steps:
            parts.append(step / self.steps)
        if self.minutes:
            parts.append(self.spent / self.minutes)
        return max(parts)


def learning_rate(progress, step, peak, warmup=100):
    """Linear warm-up, flat until 40% of the run, then a cosine down to a fiftieth."""
    fall = min(1.0, max(0.0, (progress - 0.4) / 0.6))
    return (
        peak * min(1, (step + 1) / warmup) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * fall)))
    )


class Optimiser:
    """AdamW; with `muon`, Muon for all but the narrow layers (Jordan et al. 2024, as in Liu et al.
    2025, arXiv 2502.16982, whose updates are as long as AdamW's, so that one rate fits both).

    The kernels of a convolution are the rows of its matrix.
    """

    def __init__(self, weights, peak, weight_decay, muon=False):
        self.wide = [p for p in weights if muon and p.ndim > 1 and min(flat(p).shape) >= 32]
        wide = {id(p) for p in self.wide}
        rest = [p for p in weights if id(p) not in wide]
        common = {"lr": peak, "weight_decay": weight_decay}
        self.parts = [torch.optim.AdamW(rest, betas=(0.9, 0.99), fused=True, **common)]
        if self.wide:
            if not hasattr(torch.optim, "Muon"):
                raise RuntimeError(
                    f"torch {torch.__version__} has no Muon: expected 2.9 or later, as "
                    "`pip install -U torch` installs"
                )
            # It takes matrices alone: these share their numbers with the weights.
            self.matrices = [torch.nn.Parameter(flat(p.detach())) for p in self.wide]
            self.parts.append(
                torch.optim.Muon(self.matrices, adjust_lr_fn="match_rms_adamw", **common)
            )

    def step(self, rate):
        """One step of this length by the weights' gradients, which are then forgotten."""
        for k, p in enumerate(self.wide):
            self.matrices[k].grad = p.grad.reshape(len(p), -1)
            p.grad = None
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self):
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states):
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def flat(weight):
    """(n, …) → (n, all others), the same numbers."""
    return weight.view(len(weight), -1)


def train(
    net, loss_of, out, *, budget, peak=1e-3, weight_decay=0.01, save_every=250, seed=0, muon=False
):
    """Minimise `loss_of(step, progress) → (loss, {name: number})` over net's trainable weights.

    `out` is the checkpoint (safetensors); the optimiser's state lies beside it, and a log with one
    JSON line every 50 steps. Called again with the same `out`, it goes on where it stopped.
    Returns the averaged weights. Ctrl-C stops early and keeps them.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    weights = [p for p in net.parameters() if p.requires_grad]
    optimiser = Optimiser(weights, peak, weight_decay, muon)
    average, step = Average(net), 0
    state_file = out.with_suffix(".state")
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        saved = state["optimiser"]
        if not isinstance(saved, list) or len(saved) != len(optimiser.parts):
            raise ValueError(
                f"{state_file} was begun by another optimiser: expected the state of "
                f"{len(optimiser.parts)}; move it away, and {out.name} is begun again"
            )
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(saved)
        average.state, average.steps, step = state["average"], state["step"], state["step"]
        budget.resume(state["minutes"])
    torch.manual_seed(seed + step)
    sums: dict[str, torch.Tensor] = {}  # read only when logged: a GPU need not be waited for
    bar = tqdm(initial=step, total=budget.steps, desc=out.stem, mininterval=10)
    try:
        while (progress := budget.progress(step)) < 1:
            rate = learning_rate(progress, step, peak)
            loss, parts = loss_of(step, progress)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step(rate)
            average.update(net)
            step += 1
            bar.update()
            for key, value in {"loss": loss.detach(), **parts}.items():
                sums[key] = sums.get(key, 0.0) + value / 50
            if step % 50 == 0:
                line = {"step": step, "minutes": round(budget.spent, 2), "lr": rate}
                line |= {key: float(value) for key, value in sums.items()}
                with open(out.with_suffix(".log"), "a", encoding="utf-8") as log:
                    log.write(json.dumps(line) + "\n")
                sums = {}
            if step % save_every == 0:
                save(out, net, average, optimiser, step, budget)
    except KeyboardInterrupt:
        print(f"stopped at step {step}; {out} keeps what was learned")
    save(out, net, average, optimiser, step, budget)
    return average.state


def save(out, net, average, optimiser, step, budget):
    """Averaged weights to `out`, all that is needed to go on to `.state`; never half a file."""
    save_weights(average.state, out, {"step": str(step)})
    state = {"net": net.state_dict(), "average": average.state, "optimiser": optimiser.state_dict()}
    with written(out.with_suffix(".state")) as part:
        torch.save({**state, "step": step, "minutes": budget.spent}, part)


def save_weights(state, path, about=None):
    """A state dict, and what to say of it, as safetensors; never half a file."""
    with written(path) as part:
        save_file({k: v.contiguous() for k, v in state.items()}, part, about)


def load_weights(net, path):
    net.load_state_dict(load_file(path))
    return net.eval()
