// How many letters in the inbox are unread, live. Without script the number is the one the page came with.
"use strict";

{ // names of its own: pages load other scripts beside it
  const RETRY_MS = 5000;
  const inbox = document.querySelector("[data-unread]");
  const count = inbox?.querySelector("[data-count]");
  const unit = inbox?.querySelector("[data-unit]");
  let letters = null;

  function show(event) {
    const unread = Number(event.data);
    count.textContent = unread > 0 ? String(unread) : "";
    count.hidden = unit.hidden = unread === 0;
  }

  // The browser connects again by itself, except after a refusal: then a service is away for a moment, or the session ended.
  function refused() {
    if (letters?.readyState !== EventSource.CLOSED) return;
    letters = null;
    setTimeout(listen, RETRY_MS);
  }

  // A browser keeps few connections to one host, and tabs share them: a page that nobody looks at holds none.
  function listen() {
    const wanted = document.visibilityState === "visible";
    if (wanted && letters === null) {
      letters = new EventSource(inbox.dataset.unread);
      letters.addEventListener("unread", show);
      letters.addEventListener("error", refused);
    } else if (!wanted && letters !== null) {
      letters.close();
      letters = null;
    }
  }

  if (count !== null && count !== undefined && "EventSource" in window) {
    document.addEventListener("visibilitychange", listen);
    window.addEventListener("pagehide", () => { letters?.close(); letters = null; });
    window.addEventListener("pageshow", listen);
    listen();
  }
}
