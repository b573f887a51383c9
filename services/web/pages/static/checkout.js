// A checkout, live: the server tells its mark, and when that is another one than the page was made for, the page is
// made again. Without script the page is made again every few seconds.
"use strict";

const RETRY_MS = 5000;
const checkout = document.querySelector("[data-events]");
const left = document.querySelector("[data-seconds]");
let events = null;

function again() {
  events?.close();
  location.reload();
}

function judge(event) {
  if (event.data !== checkout.dataset.mark) again();
}

// The browser connects again by itself, except after a refusal: then the session has ended, and the page says so.
function refused() {
  if (events?.readyState === EventSource.CLOSED) setTimeout(again, RETRY_MS);
}

function listen() {
  const wanted = document.visibilityState === "visible";
  if (wanted && events === null) {
    events = new EventSource(checkout.dataset.events);
    events.addEventListener("mark", judge);
    events.addEventListener("error", refused);
  } else if (!wanted && events !== null) {
    events.close();
    events = null;
  }
}

if (checkout !== null && "EventSource" in window) {
  document.addEventListener("visibilitychange", listen);
  window.addEventListener("pagehide", () => { events?.close(); events = null; });
  window.addEventListener("pageshow", listen);
  listen();
}

if (left !== null) {
  const ends = performance.now() + Number(left.dataset.seconds) * 1000;
  const tick = () => {
    const seconds = Math.max(0, Math.round((ends - performance.now()) / 1000));
    left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (seconds === 0) clearInterval(timer);
  };
  const timer = setInterval(tick, 1000);
}
