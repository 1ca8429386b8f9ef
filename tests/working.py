"""What workers in other processes import: a pair, and scorers, one of which kills its worker."""

import os
import signal
import time
from functools import partial
from pathlib import Path

from toys import pair

from itskit.metrics import Scorer

load = pair
PROMPTS = "a castle", "bells"


def by_mean(result, item, prompt):
    return float(result.latent[item].mean())


def by_spread(result, item, prompt):
    return float(result.latent[item].std())


def deadly(mark, seed, result, item, prompt):
    """The first process that scores this seed is killed: no error, no clean end."""
    time.sleep(0.05)
    if result.recipe["seeds"][item] == seed and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return by_spread(result, item, prompt)


def never(result, item, prompt):
    raise AssertionError("this was scored already")


SCORERS = {"image": Scorer("image", by_mean), "sound": Scorer("sound", by_spread)}
NEVER = {name: Scorer(name, never) for name in SCORERS}


def deadly_scorers(mark, seed):
    return SCORERS | {"sound": Scorer("sound", partial(deadly, str(mark), seed))}
