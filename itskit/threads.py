"""Work shared out over the CPUs that this process may use, so that busy neighbours cannot stop it.

PyTorch splits each operation over OpenMP threads, which wait for each other in a loop, thousands of
times in a run. With the machine to itself that is quick. Where one of them has to share its CPU
with another process, all wait for it every time, and a run takes ten times as long. Here whole
calls are shared out: each goes to a Python thread in which no operation is split, and nobody waits
before its end. `torch.set_num_threads` and OMP_NUM_THREADS say, as ever, how many there may be.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache, partial, wraps
from math import ceil, inf
from pathlib import Path
from threading import Lock, Thread, local

import torch


def cpus(root: str = "/") -> int:
    """How many CPUs this process may use, rounded up.

    It counts those that the process is bound to and respects the limits of its control groups,
    such as a container's, which PyTorch does not.
    """
    try:
        bound = len(os.sched_getaffinity(0))
    except AttributeError:  # neither macOS nor Windows has it
        bound = os.cpu_count() or 1
    return max(1, min(bound, ceil(min(bound, _quota(Path(root))))))


@cache
def _quota(root: Path) -> float:
    """The least that the control groups (Linux, versions 1 and 2) of this process allow, in CPUs;
    inf without a limit."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return inf
    quotas = [inf]
    for line in lines:  # "0::/path" is version 2, "4:cpu,cpuacct:/path" version 1
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / controllers
        # A container often sees no more than the mount itself, which is then its own group.
        inside = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(inside) + 1):
            quotas.append(_group_quota(mount.joinpath(*inside[:depth])))
    return min(quotas)


def _group_quota(folder: Path) -> float:
    """CPUs that one control group allows."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            quota, period = " ".join(
                (folder / name).read_text(encoding="ascii") for name in names
            ).split()
            return int(quota) / int(period) if int(quota) > 0 else inf
        except (OSError, ValueError):  # no such file; "max 100000" is no limit
            continue
    return inf


# --- who works --------------------------------------------------------------------------------

_here = local()  # .share: how many threads a call in this thread may use; only workers have one


def _begin() -> None:
    """Make this thread a worker, in which no operation is split. It does so with its first task,
    while whoever gave it waits, and thus sets no number of threads either."""
    with _beginning:
        usual = torch.get_num_threads()  # also keeps PyTorch from setting it later
        torch.set_num_threads(1)
        # That was for this thread, and for all that will be started: those shall have the usual.
        undo = Thread(target=torch.set_num_threads, args=(usual,))
        undo.start()
        undo.join()
    _here.share = 1


def _open() -> None:
    global _pool, _beginning
    _beginning = Lock()
    # A worker may wait for others, so there have to be enough; those not needed are never started.
    _pool = ThreadPoolExecutor(1024, "itskit")


_open()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open)  # a fork has none of its parent's threads


def budget() -> int:
    """How many threads may be used here.

    torch.get_num_threads(), or fewer if there are fewer CPUs or other callers share them.
    """
    return getattr(_here, "share", None) or min(torch.get_num_threads(), cpus())


def _splits() -> bool:
    """Whether PyTorch splits the operations of this thread."""
    return getattr(_here, "share", None) is None and torch.get_num_threads() > 1


def together(calls: Iterable[Callable[[], object]]) -> list:
    """Make several calls at the same time, in up to `budget()` threads.

    Parameters
    ----------
    calls : iterable of callable
        They must not depend on each other.

    Returns
    -------
    list
        Their results, in the same order. The first error is raised after all have ended; Ctrl-C
        does not wait for them.
    """
    calls, many = list(calls), budget()
    parts = [calls[k::many] for k in range(min(many, len(calls)))]
    share = many // max(1, len(parts))
    tasks = [partial(_work, part, share, _modes()) for part in parts]
    mine = 0 if _splits() else 1  # a thread that does not split works too
    try:
        futures = [_pool.submit(copy_context().run, _as_worker, task) for task in tasks[mine:]]
    except RuntimeError:  # no new threads: the interpreter is ending, or the system has no more
        return [call() for call in calls]
    try:
        done = [task() for task in tasks[:mine]]
    finally:
        wait(futures)
    results: list = [None] * len(calls)
    for k, part in enumerate([*done, *(future.result() for future in futures)]):
        results[k::many] = part
    return results


def own_thread(function: Callable) -> Callable:
    """Run a function in a thread where PyTorch splits no operation, while the caller waits.

    A Modality whose `predict_noise` is wrapped in this may be called from several threads at once:
    then all guides of a step work at the same time.

    Parameters
    ----------
    function : callable

    Returns
    -------
    callable
    """

    @wraps(function)
    def alone(*args, **options):
        if not _splits():
            return function(*args, **options)
        return together([partial(function, *args, **options)])[0]

    alone.own_thread = True
    return alone


def _modes() -> tuple:
    """What PyTorch keeps for each thread and the caller may have switched."""
    autocast = torch.get_autocast_dtype("cpu"), torch.is_autocast_enabled("cpu")
    return torch.is_inference_mode_enabled(), torch.is_grad_enabled(), *autocast


def _as_worker(task: Callable):
    if getattr(_here, "share", None) is None:
        _begin()
    return task()


def _work(calls, share: int, modes: tuple) -> list:
    inference, grad, dtype, autocast = modes
    before = getattr(_here, "share", None)
    _here.share = share
    try:
        with (
            torch.inference_mode(inference),
            torch.set_grad_enabled(grad),
            torch.autocast("cpu", dtype, autocast),
        ):
            return [call() for call in calls]
    finally:
        _here.share = before
