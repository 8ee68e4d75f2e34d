/* The desk's pages: an export follows the filters that were swapped in. */
"use strict";

(() => {
  const follow = () => {
    for (const form of document.querySelectorAll("form[data-export]")) {
      const address = new URL(form.action);
      const query = new URLSearchParams(window.location.search);
      query.delete("page");
      address.search = query.toString();
      form.action = address.toString();
    }
  };
  document.addEventListener("htmx:afterSettle", follow);
  document.addEventListener("submit", (event) => {
    if (!(event.target instanceof HTMLFormElement)) return;
    if ("export" in event.target.dataset) follow();
    if ("download" in event.target.dataset) {
      setTimeout(() => {
        delete event.target.dataset.sent;
        event.target.closest("dialog")?.close();
      }, 1000);
    }
  });
})();
