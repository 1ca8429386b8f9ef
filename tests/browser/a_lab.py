"""A real JupyterLab over a folder of notebooks, with real kernels, and a page that runs them."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
from listening import LISTEN

TESTS = Path(__file__).parent.parent
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_notebook(path, sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)


@contextmanager
def running_lab(folder):
    """The address of a JupyterLab over `folder`."""
    port = free_port()
    (folder / ".config" / "labconfig").mkdir(parents=True)
    quiet = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (folder / ".config" / "labconfig" / "page_config.json").write_text(
        json.dumps(quiet), encoding="utf-8"
    )
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url="]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    home = {
        f"JUPYTER_{name}_DIR": str(folder / f".{name.lower()}")
        for name in ("CONFIG", "DATA", "RUNTIME")
    }
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, **home, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    with open(folder / ".log", "wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, (folder / ".log").read_text(encoding="utf-8")
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(120)


def open_notebook(browser, address, name, kernel=True):
    """A page with the notebook, nothing run; without `kernel` none can be started."""
    size = {"width": 1300, "height": 1000}
    context = browser.new_context(viewport=size, reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    page.add_init_script(LISTEN)
    if not kernel:
        refuse = lambda r: r.abort() if r.request.method == "POST" else r.continue_()  # noqa: E731
        page.route("**/api/sessions*", refuse)
    page.goto(f"{address}/lab/workspaces/{Path(name).stem}/tree/{name}", timeout=120000)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120000)
    return page


def open_and_run(browser, address, name):
    """A page with the notebook, its kernel started, all its cells sent to it."""
    page = open_notebook(browser, address, name)
    kernel = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
    page.wait_for_function(f"{kernel}?.status === 'idle'", timeout=120000)
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells'), 0")
    return page


def save(page):
    """Saves the notebook, and waits until that is done."""
    page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")
    page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")


def run_cell(page, source):
    """Runs code in the notebook's kernel and returns what it printed."""
    count = page.locator(".jp-CodeCell").count()
    page.evaluate(
        """async (source) => {
        const app = window.jupyterapp;
        const panel = app.shell.currentWidget;
        const kernel = panel.sessionContext.session.kernel;
        const future = kernel.requestExecute({ code: source });
        window.printed = '';
        future.onIOPub = (m) => { if (m.header.msg_type === 'stream') window.printed += m.content.text; };
        await future.done; }""",  # noqa: E501
        source,
    )
    assert page.locator(".jp-CodeCell").count() == count
    return page.evaluate("window.printed").strip()


def until(page, code, expected, seconds=60):
    """Waits until `code`, run in the kernel, prints `expected`: messages of widgets go another way
    than cells, and may arrive later."""
    deadline, printed = time.time() + seconds, run_cell(page, code)
    while printed != expected and time.time() < deadline:
        page.wait_for_timeout(200)
        printed = run_cell(page, code)
    assert printed == expected
