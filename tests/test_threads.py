"""Work is shared out over the CPUs that there are: as many as allowed, and bit for bit the same."""

import contextvars
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from toys import gaussian

import itskit
import itskit.spectrogram
from itskit import threads
from itskit.guidance import Guide, encode_prompt, estimate_all
from itskit.modality import Pair


@pytest.fixture
def four(monkeypatch):
    """Four CPUs and four threads, whatever this machine has."""
    usual = torch.get_num_threads()
    monkeypatch.setattr(threads, "cpus", lambda: 4)
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(usual)


def _split():
    """Into how many threads OpenMP and MKL would split an operation here, in their own words."""
    lines = [line.strip() for line in torch.__config__.parallel_info().splitlines()]
    said = dict(line.split(" : ") for line in lines if " : " in line)
    return {name: int(said[name]) for name in said if "_get_max_threads" in name}


# ---- how many there are --------------------------------------------------------------------------

V2, V1 = "0::{}\n", "9:name=systemd:/other\n5:memory:{0}\n4:cpu,cpuacct:{0}\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (V2.format("/"), {"cpu.max": "100000 100000"}, 1),
        (V2.format("/"), {"cpu.max": "50000 100000"}, 1),
        (V2.format("/"), {"cpu.max": "250000 100000"}, 3),
        (V2.format("/"), {"cpu.max": "max 100000"}, 8),
        (V2.format("/"), {"cpu.max": "6400000 100000"}, 8),
        (V2.format("/"), {}, 8),
        (V2.format("/pod/box"), {"pod/cpu.max": "200000 100000", "pod/box/cpu.max": "max 1"}, 2),
        (V2.format("/pod/box"), {"cpu.max": "300000 100000"}, 3),  # pod lies outside what is seen
        (V2.format("/../pod"), {"cpu.max": "300000 100000", "pod/cpu.max": "max 1"}, 3),
        (
            V1.format("/"),
            {"cpu,cpuacct/cpu.cfs_quota_us": "200000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            2,
        ),
        (
            V1.format("/docker/1f"),
            {"cpu,cpuacct/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/cpu.cfs_period_us": "50000\n"},
            1,
        ),
        (
            V1.format("/"),
            {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            8,
        ),
        (V1.format("/"), {"memory/cpu.max": "100000 100000"}, 8),
        (None, {"cpu.max": "100000 100000"}, 8),  # no Linux
    ],
)
def test_cpus_are_those_that_the_control_groups_leave(
    groups, files, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    if groups is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups, encoding="utf-8")
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert threads.cpus(str(tmp_path)) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds processes")
def test_cpus_are_those_that_the_process_is_bound_to():
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); "
        "from itskit import threads; print(threads.cpus(), threads.budget())"
    )
    assert _run(code, OMP_NUM_THREADS="4") == "1 1"


def _run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_affinity_all_cpus_count(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert threads.cpus(str(tmp_path)) == 6


def test_what_the_user_chose_is_the_most(monkeypatch):
    usual = torch.get_num_threads()
    monkeypatch.setattr(threads, "cpus", lambda: 3)
    try:
        for chosen, expected in ((1, 1), (2, 2), (8, 3)):
            torch.set_num_threads(chosen)
            assert threads.budget() == expected
            threads.own_thread(_split)()
            assert torch.get_num_threads() == chosen
    finally:
        torch.set_num_threads(usual)


# ---- workers -------------------------------------------------------------------------------------


def test_nothing_is_split_in_a_worker_and_all_as_usual_elsewhere(four):
    assert set(_split().values()) == {4}
    for said in threads.together([_split, _split]):
        assert set(said.values()) == {1}
    assert set(_split().values()) == {4}
    fresh = []
    other = threading.Thread(target=lambda: fresh.append(_split()))
    other.start()
    other.join()
    assert set(fresh[0].values()) == {4}


def test_answers_come_in_order_from_threads_at_work_together(four):
    meet = threading.Barrier(4, timeout=120)  # passes only if four are there at once

    def call(k):
        meet.wait()
        return k, threading.get_ident()

    answers = threads.together([lambda k=k: call(k) for k in range(4)])
    assert [k for k, _ in answers] == [0, 1, 2, 3]
    assert len({thread for _, thread in answers}) == 4


def test_no_more_than_the_budget_at_once_however_deep(four):
    lock, now, most = threading.Lock(), [0], [0]

    def leaf():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return 1

    def branch():
        return sum(threads.together([leaf] * 5))

    assert threads.together([branch] * 3) == [5, 5, 5]
    assert 3 <= most[0] <= 4
    assert threads.together([]) == []


def test_with_one_thread_everything_stays_where_it_is(four):
    torch.set_num_threads(1)
    here = threading.get_ident()
    assert threads.together([threading.get_ident] * 3) == [here] * 3
    assert threads.own_thread(threading.get_ident)() == here


def test_an_error_comes_through_after_all_have_ended(four):
    ended = []

    def fail(k):
        time.sleep(0.1 * k)
        ended.append(k)
        raise ValueError(f"call {k}")

    with pytest.raises(ValueError, match="call 0"):
        threads.together([lambda: fail(0), lambda: fail(1)])
    assert ended == [0, 1]


@pytest.fixture
def heard():
    """Ctrl-C is heard, though a shell that starts the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _press_ctrl_c():
    """From outside, as a terminal or a Jupyter server does."""
    code = f"import os, signal; os.kill({os.getpid()}, signal.SIGINT)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ctrl_c_comes_through_at_once(four, heard):
    done = threading.Event()

    def call():
        _press_ctrl_c()
        done.wait(120)

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        threads.own_thread(call)()
    assert time.monotonic() - begin < 100
    done.set()


def test_a_worker_computes_in_the_modes_of_its_caller(four):
    said = contextvars.ContextVar("said", default="nothing")

    def modes():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
        grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        return grad, inference, product.dtype, said.get()

    def here_and_there():
        return modes(), threads.own_thread(modes)()

    said.set("something")
    for context in (torch.no_grad(), torch.inference_mode(), torch.enable_grad()):
        with context:
            here, there = here_and_there()
            assert here == there
    with torch.autocast("cpu", torch.bfloat16):
        here, there = here_and_there()
    assert here == there and there[2] == torch.bfloat16 and there[3] == "something"


def test_gradients_flow_through_a_worker(four):
    weight = torch.tensor([2.0], requires_grad=True)
    threads.own_thread(lambda: (weight**2).sum())().backward()
    assert weight.grad.item() == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_workers_of_its_own(four):
    threads.together([_split, _split])  # some are waiting for work
    child = os.fork()
    if not child:
        os._exit(0 if threads.own_thread(lambda: 7)() == 7 else 1)
    for _ in range(1200):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child waits for its parent's threads")
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_thread_that_outlives_the_main_one_goes_on_by_itself():
    code = """
import threading, time
from itskit import threads
def late():
    threading.main_thread().join()
    print(threads.own_thread(lambda: "made")())
threading.Thread(target=late).start()
"""
    assert _run(code, OMP_NUM_THREADS="2") == "made"


# ---- guides --------------------------------------------------------------------------------------


def _guides(modality, count=2):
    return [Guide(modality, encode_prompt(modality, "a bell")) for _ in range(count)]


def test_networks_made_for_it_look_at_the_latent_at_the_same_time(four):
    plain, meet = gaussian("image", {"a bell": 1.0}, 0.5), threading.Barrier(2, timeout=120)

    @threads.own_thread
    def predict_noise(*given):
        meet.wait()
        return plain.predict_noise(*given)

    latent = itskit.init_latent(plain, 1)
    got = estimate_all(
        _guides(gaussian("image", {"a bell": 1.0}, predict_noise=predict_noise)), latent, 300
    )
    for one in got:
        assert torch.equal(one.noise, itskit.estimate_noise(_guides(plain)[0], latent, 300))


def test_other_networks_are_asked_one_after_the_other_by_the_caller(four):
    plain, where = gaussian(), []

    def predict_noise(*given):
        where.append(threading.get_ident())
        return plain.predict_noise(*given)

    foreign = gaussian(predict_noise=predict_noise)
    willing = gaussian(predict_noise=threads.own_thread(plain.predict_noise))
    estimate_all([*_guides(foreign), *_guides(willing)], itskit.init_latent(plain, 1), 300)
    assert where == [threading.get_ident()] * 2


def test_a_broken_network_is_still_blamed(four):
    broken = gaussian("sound", predict_noise=threads.own_thread(lambda z, t, embeds: z / 0))
    with pytest.raises(FloatingPointError, match=r"'sound'.*NaN"):
        estimate_all(_guides(broken), itskit.init_latent(broken, 1), 300)


def test_ctrl_c_in_a_network_keeps_the_steps_so_far(four, heard):
    plain, asked = gaussian(), []

    @threads.own_thread
    def predict_noise(*given):
        asked.append(1)
        if len(asked) == 5:  # two guides: in the third step
            _press_ctrl_c()
            time.sleep(0.5)
        return plain.predict_noise(*given)

    modality = gaussian(predict_noise=predict_noise)
    pair = Pair("toy", modality, modality, {"image_start": 0.0})
    result = itskit.compose(pair, "a", "b", num_inference_steps=8, progress=False)
    assert len(result) == result.recipe["stopped"] == 2


# ---- the pocket pair -----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["torch", "onnxruntime"])
def pocket(request):
    return itskit.load_pair("pocket", engine=request.param)


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (("a castle", "bells"), {}),
        (("a castle", "bells"), {"width": 256}),
        (("a castle", None), {}),
        ((None, "bells"), {}),
        (("a castle", "bells"), {"image_scale": 1.0, "sound_scale": 1.0}),
    ],
)
def test_a_composition_is_the_same_on_any_number_of_cpus(words, settings, pocket, four):
    def make():
        result = itskit.compose(pocket, *words, num_inference_steps=2, progress=False, **settings)
        return result.latent, torch.from_numpy(result.mel_picture())

    torch.set_num_threads(1)
    expected = make()
    for many in (2, 3, 4):
        torch.set_num_threads(many)
        for got, wanted in zip(make(), expected, strict=True):
            assert torch.equal(got, wanted), many


def test_a_batch_is_the_same_but_for_rounding(pocket, four):
    latent = itskit.init_latent(pocket, range(3))
    noises = {}
    for many in (1, 2, 4):  # two: one guide each; four: half a guide each
        torch.set_num_threads(many)
        guides = itskit.guides(pocket, "a castle", "bells")
        noises[many] = torch.stack([one.noise for one in estimate_all(guides, latent, 700)])
    assert torch.equal(noises[2], noises[1])
    torch.testing.assert_close(noises[4], noises[1], atol=1e-4, rtol=0)


def test_no_operation_of_the_pocket_pair_is_split(four, monkeypatch):
    split, rfft = [], torch.fft.rfft
    note = lambda *_: split.append(torch.get_num_threads())  # noqa: E731
    hook = torch.nn.modules.module.register_module_forward_pre_hook(note)
    monkeypatch.setattr(torch.fft, "rfft", lambda *given: (note(), rfft(*given))[1])
    try:
        pair = itskit.load_pair("pocket", engine="torch")
        result = itskit.compose(pair, "a castle", "bells", num_inference_steps=1, progress=False)
        sound = result.sound()
        result.picture()
        itskit.encode(pair.sound, sound)
        itskit.encode(pair.image, result.picture())
        pair.scorers["image"](result.latent, "a castle")
    finally:
        hook.remove()
    assert len(split) > 500 and set(split) == {1}


def test_sounds_are_the_same_on_any_number_of_cpus(four):
    picture = torch.rand(128, 64, generator=torch.Generator().manual_seed(3)) ** 3
    several = itskit.spectrogram.reconstruct(picture, n_iter=3)
    torch.set_num_threads(1)
    assert (several == itskit.spectrogram.reconstruct(picture, n_iter=3)).all()
