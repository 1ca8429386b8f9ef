"""One training loop for all networks: budgeted, seeded, resumable, logged."""

import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tqdm import tqdm

from ...writing import written
from ..checkpoints import save_weights


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


@dataclass(frozen=True)
class Budget:
    """How long a run may take: by steps, by minutes, or until a time of `time.monotonic()`,
    whichever ends first."""

    steps: int | None = None
    minutes: float | None = None
    until: float | None = None

    def for_first_of(self, runs):
        """The budget of the first of so many runs that share what is left of the time."""
        if self.until is None:
            return self
        now = time.monotonic()
        return replace(self, until=now + (self.until - now) / runs)

    def begin(self):
        """A clock that starts now."""
        if self.until is None:
            return Clock(self.steps, self.minutes)
        minutes = (self.until - time.monotonic()) / 60
        return Clock(self.steps, max(0.001, minutes), further=True)


class Clock:
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
    run = Run(net, Average(net), Optimiser(weights, peak, weight_decay, muon), budget.begin())
    run.resume(out)
    torch.manual_seed(seed + run.step)
    log = Log(out.with_suffix(".log"))
    bar = tqdm(initial=run.step, total=budget.steps, desc=out.stem, mininterval=10)
    try:
        while (progress := run.clock.progress(run.step)) < 1:
            rate = learning_rate(progress, run.step, peak)
            loss, parts = loss_of(run.step, progress)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            run.optimiser.step(rate)
            run.average.update(net)
            run.step += 1
            bar.update()
            log.add({"loss": loss.detach(), **parts})
            if run.step % Log.EVERY == 0:
                log.write(step=run.step, minutes=round(run.clock.spent, 2), lr=rate)
            if run.step % save_every == 0:
                run.save(out)
    except KeyboardInterrupt:
        print(f"stopped at step {run.step}; {out} keeps what was learned")
    run.save(out)
    return run.average.state


@dataclass
class Run:
    """All that a run needs to go on later."""

    net: torch.nn.Module
    average: Average
    optimiser: Optimiser
    clock: Clock
    step: int = 0

    def resume(self, out):
        """Go on from the state beside `out`, if there is one."""
        file = out.with_suffix(".state")
        if not file.exists():
            return
        state = torch.load(file, weights_only=True)
        saved = state["optimiser"]
        if not isinstance(saved, list) or len(saved) != len(self.optimiser.parts):
            raise ValueError(
                f"{file} was begun by another optimiser: expected the state of "
                f"{len(self.optimiser.parts)}; move it away, and {out.name} is begun again"
            )
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(saved)
        self.average.state, self.average.steps = state["average"], state["step"]
        self.step = state["step"]
        self.clock.resume(state["minutes"])

    def save(self, out):
        """Averaged weights to `out`, all that is needed to go on to `.state`; never half a file."""
        save_weights(self.average.state, out, {"step": str(self.step)})
        state = {"net": self.net.state_dict(), "average": self.average.state}
        state |= {"optimiser": self.optimiser.state_dict(), "step": self.step}
        with written(out.with_suffix(".state")) as part:
            torch.save({**state, "minutes": self.clock.spent}, part)


class Log:
    """Means of losses over every so many steps, one JSON line each."""

    EVERY = 50

    def __init__(self, file):
        self.file = file
        self.sums: dict[
            str, torch.Tensor
        ] = {}  # read only when written: a GPU need not be waited for

    def add(self, parts):
        for key, value in parts.items():
            self.sums[key] = self.sums.get(key, 0.0) + value / self.EVERY

    def write(self, **line):
        line |= {key: float(value) for key, value in self.sums.items()}
        with open(self.file, "a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        self.sums = {}
