"""Opens a page in Chromium and says, as one JSON object, what a person there would notice.

`browser.py CHROMIUM PAGE [SHOTS]`: with a directory SHOTS, pictures of the page are written there. Speaks the
DevTools protocol over a pipe, so nothing but Python and Chromium is needed. Judges nothing: browser.rs does, and
beside it reports/browser.rs and bench/browser.rs for what only their pages have.
"""
import base64, json, os, pathlib, select, subprocess, sys, tempfile, time

LIMIT = 60.0


class Browser:
    def __init__(self, chromium, profile):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-dev-shm-usage", "--window-size=1280,900", f"--user-data-dir={profile}"]
        # The pipe is expected as 3 and 4.
        start = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.process = subprocess.Popen(["bash", "-c", start, chromium, *flags], pass_fds=(theirs_in, theirs_out),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.input, self.output = ours_in, ours_out
        self.buffer, self.events, self.last, self.session = b"", [], 0, None

    def message(self, limit=LIMIT):
        end = time.monotonic() + limit
        while b"\0" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.input], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self.input, 1 << 20)
            if not part:
                raise EOFError("the browser has ended")
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.last += 1
        number = self.last
        call = {"id": number, "method": method, "params": params}
        if self.session:
            call["sessionId"] = self.session
        os.write(self.output, json.dumps(call).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message.get("result", {})
            self.events.append(message)

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message())

    def all(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]

    def value(self, expression):
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise RuntimeError(f"{expression}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def key(self, key, code=None):
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        numbers = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38}
        common = {"key": key, "code": code or key, "windowsVirtualKeyCode": numbers.get(key, 0)}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def size(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 500)

    def scheme(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def settle(self):
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")

    def end(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (OSError, EOFError, TimeoutError, RuntimeError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def look(browser, page, shots):
    def shot(name, whole=True):
        if shots:
            browser.settle()
            # Of a very long page, what is in the window.
            whole = whole and browser.value("document.documentElement.scrollHeight") < 16000
            picture = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
            (pathlib.Path(shots) / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))

    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ["Page", "Runtime", "Network", "Log"]:
        browser.call(f"{domain}.enable")
    browser.size(1280)
    browser.scheme("light")
    seen = {}
    begun = time.monotonic()
    browser.call("Page.navigate", url=pathlib.Path(page).absolute().as_uri())
    browser.wait("Page.loadEventFired")
    browser.settle()
    seen["ready_seconds"] = time.monotonic() - begun
    seen["ready"] = browser.value("document.documentElement.dataset.ready")
    seen["findings"] = browser.value("document.querySelectorAll('details.finding').length")
    seen["title"] = browser.value("document.title")
    # Headings go down one step at a time.
    seen["headings"] = browser.value(
        "Array.from(document.querySelectorAll('main :is(h1,h2,h3,h4,h5,h6)'), (h) => Number(h.tagName[1]))")
    seen["unnamed"] = browser.value("""Array.from(document.querySelectorAll('button, input, select, [role=region]'))
        .filter((e) => !(e.textContent.trim() || e.labels?.length || e.ariaLabel || e.getAttribute('aria-labelledby')))
        .map((e) => e.outerHTML.slice(0, 80))""")
    seen["same_ids"] = browser.value("""(() => { const ids = Array.from(document.querySelectorAll('[id]'), (e) => e.id);
        return ids.filter((id, n) => ids.indexOf(id) !== n); })()""")
    shot("light")
    browser.scheme("dark")
    seen["dark"] = browser.value("getComputedStyle(document.body).backgroundColor")
    shot("dark")
    browser.scheme("light")
    seen["light"] = browser.value("getComputedStyle(document.body).backgroundColor")
    if seen["findings"]:
        opened(browser, seen, shot)
        filtered(browser, seen, shot)
    if browser.value("document.querySelector('details.size') !== null"):
        measured(browser, seen, shot)
    widths = {}
    for width in [360, 768, 1280]:
        browser.size(width)
        browser.settle()
        widths[width] = browser.value("document.documentElement.scrollWidth")
        if width == 360:
            shot("narrow")
    seen["widths"] = widths
    browser.key("t")
    browser.key("t")
    seen["theme"] = browser.value("document.documentElement.dataset.theme")
    if shots:
        browser.size(1280)
        shot("dark-open")
        browser.key("t")
        browser.size(360)
        shot("narrow-open", False)
        pdf = browser.call("Page.printToPDF", printBackground=True)
        (pathlib.Path(shots) / "print.pdf").write_bytes(base64.b64decode(pdf["data"]))
    own = pathlib.Path(page).absolute().as_uri()
    requests = [one["request"]["url"] for one in browser.all("Network.requestWillBeSent")]
    seen["requests"] = [url for url in requests if url != own and not url.startswith("data:")]
    seen["dialogs"] = [one["message"] for one in browser.all("Page.javascriptDialogOpening")]
    seen["errors"] = [str(one) for one in browser.all("Runtime.exceptionThrown")]
    seen["errors"] += [str(one) for one in browser.all("Runtime.consoleAPICalled")]
    seen["errors"] += [one["entry"]["text"] for one in browser.all("Log.entryAdded")]
    return seen


def opened(browser, seen, shot):
    """By the keyboard: to the first finding, open it; then all its folds."""
    browser.key("j")
    seen["focused"] = browser.value("document.activeElement.closest('details.finding')?.id")
    begun = time.monotonic()
    browser.key("Enter")
    browser.settle()
    seen["open_seconds"] = time.monotonic() - begun
    first = "document.querySelector('#f0')"
    seen["open"] = browser.value(f"{first}.open")
    seen["timeline"] = browser.value(f"""Array.from({first}.querySelectorAll('.timeline li'), (li) =>
        [li.className, li.querySelector('.n')?.textContent ?? '', li.querySelector('.f')?.textContent ?? li.textContent])""")
    seen["copies"] = browser.value(f"!{first}.querySelector('.copy').hidden")
    shot("open")
    folds = f"{first}.querySelectorAll('.more button').length"
    presses = 0
    while browser.value(folds) and presses < 100:
        browser.value(f"{first}.querySelector('.more button').click()")
        presses += 1
    seen["unfolded"] = browser.value(f"{first}.querySelectorAll('.timeline li:not(.cut, .ghost, .more)').length")
    seen["numbers_in_order"] = browser.value(f"""Array.from({first}.querySelectorAll(
        '.timeline li:not(.cut, .ghost, .more) .n'), (n) => Number(n.textContent)).every((n, at) => n === at)""")
    browser.key("k")
    browser.value(f"{first}.querySelector('summary').focus()")
    browser.key("ArrowDown")
    seen["next"] = browser.value("document.activeElement.closest('details.finding')?.id")
    browser.key("?")
    seen["help"] = browser.value("document.getElementById('keys').open")
    shot("help", False)
    browser.key("Escape")
    browser.value("document.getElementById('keys').close()")


def filtered(browser, seen, shot):
    shown = "Array.from(document.querySelectorAll('details.finding')).filter((f) => !f.hidden).map((f) => f.dataset.id)"
    browser.key("/")
    seen["in_filter"] = browser.value("document.activeElement.id")
    for letter in "Gone: neither":
        browser.call("Input.insertText", text=letter)
    begun = time.monotonic()
    browser.settle()
    seen["filter_seconds"] = time.monotonic() - begun
    seen["by_text"] = browser.value(shown)
    shot("filtered", False)
    browser.key("Escape")
    seen["after_escape"] = len(browser.value(shown))
    choose = "(m) => { const s = document.getElementById('model'); s.value = m; s.dispatchEvent(new Event('input', {bubbles: true})); }"
    browser.value(f"({choose})('posix')")
    seen["by_model"] = browser.value(shown)
    browser.value(f"({choose})('')")
    browser.value("document.querySelector('[name=level][value=gate]').click()")
    seen["without_gate"] = browser.value(shown)
    browser.value("document.querySelector('[name=level][value=gate]').click()")
    browser.value("document.getElementById('find').value = 'there is none of this'")
    browser.value("document.getElementById('find').dispatchEvent(new Event('input', {bubbles: true}))")
    seen["nothing"] = browser.value("!document.getElementById('nothing').hidden")
    browser.value("document.getElementById('clear').click()")
    seen["after_clear"] = len(browser.value(shown))
    browser.value("document.activeElement.blur()")


def measured(browser, seen, shot):
    """What is drawn of figures, and the sections of the sizes, opened by the keyboard."""
    sizes = "Array.from(document.querySelectorAll('details.size'), (s) => [s.querySelector('h2').textContent, s.open])"
    seen["sizes"] = browser.value(sizes)
    shown = "document.querySelector('details.size[open]')"
    seen["bars"] = browser.value(f"""Array.from({shown}.querySelectorAll('.bar'), (bar) => [
        bar.querySelector('small').textContent,
        bar.querySelector('svg').getBoundingClientRect().width,
        Math.max(...Array.from(bar.querySelectorAll('rect'), (r) => r.getBoundingClientRect().right))
            - bar.querySelector('svg').getBoundingClientRect().left])""")
    seen["strips"] = browser.value(f"""Array.from({shown}.querySelectorAll('.strip'), (strip) => [
        strip.querySelector('b').textContent,
        strip.querySelector('.area').getBoundingClientRect().width,
        strip.querySelector('.median').getBoundingClientRect().left
            - strip.querySelector('svg').getBoundingClientRect().left])""")
    seen["rows"] = browser.value(f"{shown}.querySelectorAll('tbody tr').length")
    browser.value("document.querySelector('details.size:not([open]) summary')?.focus()")
    browser.key("Enter")
    browser.settle()
    seen["sizes_after_enter"] = browser.value(sizes)
    shot("sizes")


def main():
    chromium, page = sys.argv[1:3]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(chromium, profile)
        try:
            print(json.dumps(look(browser, page, sys.argv[3] if len(sys.argv) > 3 else None)))
        finally:
            browser.end()


if __name__ == "__main__":
    main()
