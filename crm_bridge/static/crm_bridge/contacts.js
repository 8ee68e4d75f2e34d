/* Contact pages: dialogs that are loaded, rows added in place. All of it also works without. */
"use strict";

document.documentElement.classList.add("js");

(() => {
  const dialog = () => document.getElementById("ct-dialog");

  /* A question that was asked for arrives in the dialog. */
  document.addEventListener("htmx:afterSwap", (event) => {
    const box = dialog();
    if (box && event.detail.target === box && box.firstElementChild) {
      box.showModal();
      box.querySelector("input:not([type=hidden]), select")?.focus();
    }
  });

  const fits = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

  document.addEventListener("click", (event) => {
    const opener = fits(event, "[data-load-dialog]");
    if (opener && dialog() && window.htmx && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      window.htmx.ajax("GET", opener.getAttribute("href"), { target: "#ct-dialog", swap: "innerHTML" });
    }
    const closer = fits(event, "[data-close-dialog]");
    if (closer && closer.closest("dialog")) {
      event.preventDefault();
      closer.closest("dialog").close();
    }

    const add = fits(event, "[data-add-row]");
    if (add) addRow(add.parentElement.querySelector("[data-rows]"));
    const remove = fits(event, "[data-remove-row]");
    if (remove) {
      const rows = remove.closest("[data-rows]");
      remove.closest("[data-row]").remove();
      rows.querySelector("[data-row]:not([data-spare]) input")?.focus();
    }

    for (const open of document.querySelectorAll("details.ct-pop[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.ct-pop[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  /* The last spare row is the pattern of a new one; spare rows stay hidden and empty. */
  const addRow = (rows) => {
    const pattern = rows.querySelector("[data-spare]");
    if (!pattern) return;
    const row = pattern.cloneNode(true);
    row.removeAttribute("data-spare");
    rows.insertBefore(row, pattern);
    row.querySelector("input").focus();
  };

  /* A typed form is not lost by a stray click. */
  let typed = false;
  document.addEventListener("input", (event) => {
    if (fits(event, "form[data-guard]")) typed = true;
  });
  document.addEventListener("submit", (event) => {
    typed = false;
    const form = event.target;
    if ("download" in form.dataset) {
      setTimeout(() => {
        delete form.dataset.sent;
        form.closest("dialog")?.close();
      }, 1000);
    }
  });
  window.addEventListener("beforeunload", (event) => {
    if (typed) event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    const form = fits(event, "form[data-submit-on-change]");
    if (form) form.submit();
  });

  /* "Export" follows the filters that were swapped in. */
  document.addEventListener("htmx:afterSettle", () => {
    const list = document.getElementById("list");
    for (const link of document.querySelectorAll("a[data-keeps-query]")) {
      if (list) link.search = list.dataset.query;
    }
  });

  const wake = () => {
    for (const button of document.querySelectorAll("[data-add-row], [data-remove-row]")) button.hidden = false;
    const bulk = document.getElementById("bulk");
    if (bulk && !document.querySelector('input[name="selected"]:checked')) bulk.hidden = true;
  };
  document.addEventListener("DOMContentLoaded", wake);
  document.addEventListener("htmx:afterSettle", wake);
})();
