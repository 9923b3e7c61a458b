"use strict";
// Each timeline and the element behind it: a bar shows what it names; keys walk from bar to bar.
for (const timeline of document.querySelectorAll(".timeline")) {
  const bars = [...timeline.querySelectorAll(".call")];
  const bad = bars.filter((bar) => bar.classList.contains("bad"));
  if (bars.length === 0) continue;
  bars[0].tabIndex = 0;

  const show = (bar, { focus = true } = {}) => {
    for (const other of bars) {
      const chosen = other === bar;
      other.setAttribute("aria-pressed", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.dataset.shows).hidden = !chosen;
    }
    if (focus) bar.focus({ preventScroll: true });
    const label = 84;
    const left = bar.offsetLeft - label - 8;
    if (left < timeline.scrollLeft || bar.offsetLeft > timeline.scrollLeft + timeline.clientWidth - 60) {
      timeline.scrollLeft = left;
    }
  };

  const nextOf = (list, bar, step) => {
    const place = list.indexOf(bar);
    if (place >= 0) return list[Math.min(Math.max(place + step, 0), list.length - 1)];
    const after = list.find((other) => bars.indexOf(other) > bars.indexOf(bar));
    return step > 0 ? after ?? list.at(-1) : list.filter((other) => bars.indexOf(other) < bars.indexOf(bar)).at(-1) ?? list[0];
  };

  // The bar in the nearest lane above or below that is closest in time.
  const across = (bar, step) => {
    const tops = [...new Set(bars.map((other) => other.offsetTop))].sort((a, b) => a - b);
    const top = tops[tops.indexOf(bar.offsetTop) + step];
    const lane = bars.filter((other) => other.offsetTop === top);
    const far = (other) => Math.abs(other.offsetLeft - bar.offsetLeft);
    return lane.sort((a, b) => far(a) - far(b))[0] ?? bar;
  };

  timeline.addEventListener("click", (event) => {
    const bar = event.target.closest(".call");
    if (bar) show(bar);
  });
  timeline.addEventListener("keydown", (event) => {
    const bar = event.target.closest(".call");
    if (!bar || event.ctrlKey || event.altKey || event.metaKey) return;
    const to = {
      ArrowRight: () => nextOf(bars, bar, 1),
      ArrowLeft: () => nextOf(bars, bar, -1),
      ArrowDown: () => across(bar, 1),
      ArrowUp: () => across(bar, -1),
      Home: () => bars[0],
      End: () => bars.at(-1),
      n: () => (bad.length ? nextOf(bad, bar, 1) : bar),
      p: () => (bad.length ? nextOf(bad, bar, -1) : bar),
    }[event.key];
    if (!to) return;
    event.preventDefault();
    show(to());
  });
  for (const go of document.querySelectorAll(`[data-go]`)) {
    const bar = bars.find((other) => other.dataset.shows === go.dataset.go);
    if (bar) go.addEventListener("click", () => { show(bar); timeline.scrollIntoView({ block: "nearest" }); });
  }
  show(bad[0] ?? bars[0], { focus: false });
}
