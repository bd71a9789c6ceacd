"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const findings = Array.from(document.querySelectorAll("details.finding"));

  // --- The timeline of a finding, made when it is opened for the first time.

  // Events shown around one that tells something; most that one press shows.
  const AROUND = 2, PRESS = 200, LEAST_FOLD = 3;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const row = (className, number, what, fate) => {
    const line = element("li", className);
    const sign = element("span", "g");
    sign.setAttribute("aria-hidden", "true");
    line.append(element("span", "n", number), sign, element("span", "w", what), element("span", "f", fate));
    return line;
  };

  const fatesOf = (finding) => {
    const fates = new Map();
    const { kinds } = data.stories[finding.story];
    for (let n = 0; n < finding.fates.length; n += 3) {
      const [first, last, fate] = finding.fates.slice(n, n + 3);
      for (let event = first; event <= last; event++) {
        if (kinds[event] === "c" || kinds[event] === undefined) fates.set(event, fate);
      }
    }
    return fates;
  };

  const FATES = { k: ["kept", "kept"], L: ["lost", "LOST"], P: ["part", "LOST in part"] };

  const eventRow = (finding, fates, event) => {
    const { kinds, texts } = data.stories[finding.story];
    const text = texts[event];
    if (event >= finding.point) return row("after", event, text, "never happened");
    const fate = FATES[fates.get(event)];
    if (fate) return row(fate[0], event, text, fate[1]);
    if (kinds[event] === "b") return row("barrier", event, text, "barrier");
    if (kinds[event] === "m") return row("mark", event, text, "promise");
    return row("durable", event, text, "durable");
  };

  const timeline = (finding, list) => {
    const total = data.stories[finding.story].texts.length;
    if (total === 0) return;
    const fates = fatesOf(finding);
    const ghosts = new Set(finding.ghosts ? finding.ghosts.before : []);
    // What is shown at once: what was lost, where a barrier is missing, the cut, and some around them.
    const shown = new Set();
    const show = (event, around) => {
      for (let near = event - around; near <= event + around; near++) {
        if (near >= 0 && near < total) shown.add(near);
      }
    };
    for (const [event, fate] of fates) if (fate !== "k") show(event, 1);
    for (const event of finding.tale) show(event, 0);
    for (const event of ghosts) show(Math.min(event, total - 1), 1);
    show(finding.point - 1, AROUND);
    const crowded = shown.size > 400;
    if (crowded) {
      // Hundreds of losses: the ones that the short tale names, and the end, are enough to begin with.
      shown.clear();
      for (const event of finding.tale) show(event, 1);
      show(finding.point - 1, AROUND);
    }

    const content = document.createDocumentFragment();
    const ghostRow = () => row("ghost", "+", finding.ghosts.text, finding.ghosts.word);
    const cutRow = () => {
      const cut = element("li", "cut");
      cut.append(element("b", "", "power cut"));
      return cut;
    };
    const add = (to, event) => {
      if (ghosts.has(event)) to.append(ghostRow());
      to.append(eventRow(finding, fates, event));
    };
    const fold = (from, end) => {
      const line = element("li", "more");
      const button = element("button", "", "");
      button.type = "button";
      const label = () => {
        const count = end - from;
        let lost = 0;
        for (let event = from; event < end && event < finding.point; event++) {
          const fate = fates.get(event);
          if (fate === "L" || fate === "P") lost++;
        }
        button.textContent = `show ${count} more: events ${from} to ${end - 1}` + (lost ? `, ${lost} of them LOST` : "");
      };
      label();
      button.addEventListener("click", () => {
        const part = document.createDocumentFragment();
        const until = Math.min(end, from + PRESS);
        for (; from < until; from++) add(part, from);
        line.before(part);
        if (from < end) return label();
        const next = line.nextElementSibling;
        line.remove();
        if (next) { next.tabIndex = -1; next.focus({ preventScroll: true }); }
      });
      line.append(button);
      return line;
    };
    // Shown events one by one, the others folded where they are many.
    const write = (from, end) => {
      while (from < end) {
        let next = from;
        while (next < end && !shown.has(next)) next++;
        if (next - from >= LEAST_FOLD) content.append(fold(from, next));
        else for (let event = from; event < next; event++) add(content, event);
        if (next < end) add(content, next);
        from = next + 1;
      }
    };
    const cut = Math.min(finding.point, total);
    write(0, cut);
    for (const ghost of ghosts) {
      if (ghost === cut || ghost >= total) { content.append(ghostRow()); ghosts.delete(ghost); }
    }
    content.append(cutRow());
    write(cut, total);
    list.replaceChildren(content);
  };

  const made = new Set();
  const open = (details) => {
    const number = Number(details.dataset.n);
    if (made.has(number)) return;
    made.add(number);
    timeline(data.findings[number], byId(`t${number}`));
  };
  for (const details of findings) {
    details.addEventListener("toggle", () => { if (details.open) open(details); });
    if (details.open) open(details);
  }

  // --- The filter.

  const form = byId("filter");
  const visible = () => findings.filter((details) => !details.hidden);
  const texts = new Map();
  const textOf = (details) => {
    if (!texts.has(details)) {
      texts.set(details, `${details.dataset.id} ${details.textContent}`.toLowerCase());
    }
    return texts.get(details);
  };
  const filter = () => {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const model = byId("model").value;
    const levels = new Set(Array.from(form.querySelectorAll("[name=level]:checked"), (box) => box.value));
    let count = 0;
    for (const details of findings) {
      const fits = levels.has(details.dataset.level)
        && (model === "" || details.dataset.models.split(" ").includes(model))
        && words.every((word) => textOf(details).includes(word));
      details.hidden = !fits;
      if (fits) count++;
    }
    byId("shown").value = count === findings.length ? `${count} shown` : `${count} of ${findings.length} shown`;
    byId("nothing").hidden = count > 0;
  };
  if (form) {
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", filter);
    byId("clear").addEventListener("click", () => {
      form.reset();
      filter();
      byId("find").focus();
    });
    // A page that is loaded again may have kept what was typed.
    if (byId("find").value || byId("model").value || form.querySelector("[name=level]:not(:checked)")) filter();
  }

  // --- Copying.

  const copied = (button) => {
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  };
  const select = (code) => {
    const range = document.createRange();
    range.selectNodeContents(code);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };
  const copy = async (button) => {
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      return copied(button);
    } catch {
      // No clipboard for pages of files: the older way, and at least it is selected.
      select(code);
      if (document.execCommand("copy")) copied(button); else button.textContent = "Selected";
    }
  };
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }

  // --- Light and dark.

  const THEMES = ["auto", "light", "dark"];
  const KEY = "plugpull-theme";
  const themeButton = byId("theme");
  let theme = "auto";
  const setTheme = (to) => {
    theme = THEMES.includes(to) ? to : "auto";
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    themeButton.textContent = `Theme: ${theme}`;
  };
  const nextTheme = () => {
    setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
    try { localStorage.setItem(KEY, theme); } catch { /* it is for this page only, then */ }
  };
  try { setTheme(localStorage.getItem(KEY)); } catch { setTheme("auto"); }
  themeButton.hidden = false;
  themeButton.addEventListener("click", nextTheme);

  // --- Keys.

  const help = byId("keys");
  byId("help").hidden = false;
  byId("help").addEventListener("click", () => help.showModal());
  const go = (step) => {
    const all = visible();
    if (all.length === 0) return;
    const at = all.indexOf(document.activeElement.closest("details.finding"));
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
    const summary = all[next].querySelector("summary");
    summary.focus({ preventScroll: true });
    summary.scrollIntoView({ block: "nearest" });
    // What stands above takes its size only now.
    requestAnimationFrame(() => summary.scrollIntoView({ block: "nearest" }));
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const target = event.target;
    const types = target.matches("input[type=search], select, textarea");
    if (event.key === "Escape" && target.id === "find") {
      if (target.value) { target.value = ""; filter(); } else target.blur();
      return;
    }
    if (types) {
      if (event.key === "Enter" && target.id === "find") { target.blur(); go(1); event.preventDefault(); }
      return;
    }
    const onSummary = target.matches("summary");
    const actions = {
      j: () => go(1),
      k: () => go(-1),
      ArrowDown: onSummary && (() => go(1)),
      ArrowUp: onSummary && (() => go(-1)),
      "/": form && (() => { byId("find").focus(); byId("find").select(); }),
      t: nextTheme,
      "?": () => help.showModal(),
    };
    const action = Object.hasOwn(actions, event.key) && actions[event.key];
    if (action) { event.preventDefault(); action(); }
  });

  // --- A link to a finding opens it.

  const linked = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const found = findings.find((details) => details.id === id || details.dataset.id === id);
    if (found) { found.open = true; found.querySelector("summary").focus(); found.scrollIntoView(); }
  };
  addEventListener("hashchange", linked);
  if (location.hash) linked();
  document.documentElement.dataset.ready = "yes";
})();
