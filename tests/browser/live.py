"""The live page in a real Chromium, watched."""

import time

from playwright.sync_api import Error

PAGE = "document.querySelector('[data-part=page]').page"
STATUS = "[data-part=status]"


class Watched:
    """Opens pages, and keeps whatever goes wrong in them: errors, dialogs, what the page's policy
    refused, and what was fetched from elsewhere."""

    def __init__(self, browser, home):
        self.browser, self.home, self.errors, self.contexts = browser, home, [], []

    def context(self, **options):
        context = self.browser.new_context(**options)
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation', (e) => console.error("
            "`refused: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`))"
        )
        self.contexts.append(context)
        return context

    def watch(self, page):
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("request", self.request)
        page.on("dialog", lambda dialog: (self.errors.append("a dialog"), dialog.dismiss()))
        return page

    def request(self, request):
        if request.url.startswith("http") and not request.url.startswith(self.home):
            self.errors.append(f"fetched from elsewhere: {request.url}")

    def visit(self, address="", *, context=None, ready=True, **options):
        page = self.watch((context or self.context(**options)).new_page())
        page.goto(self.home + address)
        if ready:
            until(page, f"{PAGE}.engine.state === 'ready'")
        return page

    def close(self):
        for context in self.contexts:
            context.close()


def until(page, expression, seconds=60):
    """Waits until something is true in the page. Playwright's own way evaluates text in it, which
    the page's policy refuses."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if page.evaluate(expression):
                return
        except Error as error:  # it is being loaded anew, or is not that far
            last = error
        else:
            last = "it is false"
        page.wait_for_timeout(20)
    raise AssertionError(f"{expression}: {last} after {seconds} s")
