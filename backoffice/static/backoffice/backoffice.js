/* Small behaviours of all pages. Everything works as plain links and forms without it. */
"use strict";

(() => {
  const closest = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

  /* A row opens on click, and on Enter when it has the focus. */
  const openRow = (row, event) => {
    if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank", "noopener");
    else window.location.assign(row.dataset.href);
  };
  const onControl = (event) => closest(event, "a, button, input, label, select, textarea, summary, dialog");

  document.addEventListener("click", (event) => {
    const row = closest(event, "tr[data-href]");
    if (row && !onControl(event) && !String(window.getSelection())) openRow(row, event);

    const opener = closest(event, "[data-dialog]");
    if (opener) {
      event.preventDefault();
      document.getElementById(opener.dataset.dialog)?.showModal();
    }
    const closer = closest(event, "[data-close]");
    if (closer && closer.closest("dialog")) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    const asker = closest(event, "a[data-ask]");
    if (asker && window.htmx && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      ask(asker.href);
    }
    if (event.target instanceof HTMLDialogElement) event.target.close();
  });

  /* A link that asks opens its question in a dialog; without scripts it is a page of its own. */
  const ask = (address) => {
    let box = document.getElementById("ask");
    if (!box) {
      box = document.createElement("dialog");
      box.id = "ask";
      box.className = "bo-dialog";
      document.body.append(box);
    }
    window.htmx.ajax("GET", address, { target: box, swap: "innerHTML" });
    box.dataset.address = address;
  };
  document.addEventListener("htmx:afterSwap", (event) => {
    const box = event.detail.target;
    if (box.id !== "ask" || !box.firstElementChild || box.open) return;
    box.showModal();
    box.querySelector("input:not([type=hidden], [type=checkbox]), select")?.focus();
  });
  document.addEventListener("htmx:responseError", (event) => {
    const box = event.detail.target;
    if (box?.id === "ask") window.location.assign(box.dataset.address);
  });

  document.addEventListener("keydown", (event) => {
    const row = closest(event, "tr[data-href]");
    if (event.key === "Enter" && row && event.target === row) openRow(row, event);
    if (event.key === "/" && !closest(event, "input, textarea, select, [contenteditable]")) {
      const search = document.querySelector("#filters input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });

  /* Selected rows: count them, show what can be done with them. */
  const countSelected = () => {
    const bulk = document.getElementById("bulk");
    if (!bulk) return;
    const boxes = [...document.querySelectorAll('input[name="selected"][form="bulk"]')];
    const chosen = boxes.filter((box) => box.checked).length;
    bulk.hidden = chosen === 0;
    const words = bulk.querySelector(".bo-bulk-count");
    words.textContent = chosen === 1 ? words.dataset.one : words.dataset.many.replace("%d", chosen);
    const all = document.querySelector("[data-select-all]");
    if (all) {
      all.checked = chosen > 0 && chosen === boxes.length;
      all.indeterminate = chosen > 0 && chosen < boxes.length;
    }
  };
  document.addEventListener("change", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.matches("[data-select-all]")) {
      for (const box of document.querySelectorAll('input[name="selected"][form="bulk"]')) {
        box.checked = event.target.checked;
      }
    }
    if (event.target.matches('[data-select-all], input[name="selected"]')) {
      event.stopPropagation();
      countSelected();
    }
  });

  /* One press of a button is one request. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    countSelected();
  });

  /* Filters: an address without empty parameters; rows reachable by Tab. */
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.id !== "filters") return;
    const values = event.detail.parameters;
    for (const [name, value] of Object.entries(values)) if (value === "") delete values[name];
  });
  const makeRowsReachable = () => {
    for (const row of document.querySelectorAll("tr[data-href]:not([tabindex])")) row.tabIndex = 0;
  };
  document.addEventListener("DOMContentLoaded", makeRowsReachable);
  document.addEventListener("htmx:afterSettle", () => {
    makeRowsReachable();
    countSelected();
  });

  /* A chart whose numbers were read again. */
  document.addEventListener("htmx:afterSettle", () => {
    for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
      const numbers = document.getElementById(`numbers-${canvas.dataset.chart}`)?.dataset.value;
      const chart = window.Chart?.getChart(canvas);
      if (!chart || !numbers || numbers === canvas.dataset.value) continue;
      canvas.dataset.value = numbers;
      const fresh = JSON.parse(numbers);
      chart.data.labels = fresh.labels;
      fresh.datasets.forEach((set, place) => {
        if (chart.data.datasets[place]) chart.data.datasets[place].data = set.data;
      });
      chart.update("none");
    }
  });

  /* Ages stay true on a page that stays open. */
  const words = (seconds) => {
    const past = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { style: "short", numeric: "always" });
    const size = Math.abs(seconds);
    if (size < 3600) return past.format(Math.round(seconds / 60), "minute");
    if (size < 86400) return past.format(Math.round(seconds / 3600), "hour");
    return past.format(Math.round(seconds / 86400), "day");
  };
  const refreshAges = () => {
    for (const element of document.querySelectorAll("time.bo-age")) {
      const seconds = (new Date(element.dateTime) - Date.now()) / 1000;
      if (Math.abs(seconds) >= 60 && Math.abs(seconds) < 5 * 86400) element.textContent = words(seconds);
    }
  };
  setInterval(refreshAges, 30000);

  /* htmx must not evaluate text as script: the policy forbids inline code anyway. */
  document.addEventListener("DOMContentLoaded", () => {
    if (window.htmx) {
      window.htmx.config.allowScriptTags = false;
      window.htmx.config.includeIndicatorStyles = false;
    }
  });
})();
