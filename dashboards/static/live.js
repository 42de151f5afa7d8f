// Says when a page has stopped updating, and keeps what the reader had scrolled or opened over an update.
"use strict";

(() => {
  const refreshMs = Number(document.body.dataset.refreshS) * 1000;
  const banner = document.getElementById("stale");
  const kept = new Map();
  let heard = Date.now();

  const isLive = (event) => event.detail.elt && event.detail.elt.id === "live";
  const showWhenStale = () => { banner.hidden = Date.now() - heard <= 2.5 * refreshMs; };

  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (!isLive(event)) return;
    if (event.detail.successful) {
      heard = Date.now();
      showWhenStale();
    } else {
      banner.hidden = false;
    }
  });

  document.body.addEventListener("htmx:beforeSwap", () => {
    document.querySelectorAll("[data-keep-scroll]").forEach((box) => {
      kept.set(box.dataset.keepScroll, [box.scrollLeft, box.scrollTop]);
    });
    document.querySelectorAll("[data-keep-open]").forEach((box) => kept.set(box.dataset.keepOpen + " open", box.open));
  });

  document.body.addEventListener("htmx:afterSwap", () => {
    document.querySelectorAll("[data-keep-open]").forEach((box) => {
      box.open = kept.get(box.dataset.keepOpen + " open") ?? box.open;
    });
    document.querySelectorAll("[data-keep-scroll]").forEach((box) => {
      [box.scrollLeft, box.scrollTop] = kept.get(box.dataset.keepScroll) ?? [0, 0];
    });
  });

  setInterval(showWhenStale, Math.min(refreshMs, 1000));
})();
