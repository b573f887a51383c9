// Adds a copy button to code listings. Without script the listings are simply text to select.
// Interactive sessions are copied as code that runs: prompts, output and tracebacks are left out.
"use strict";

const SESSION_PARTS = ".gp, .go, .gt, .gr, .linenos";
const SHOWN_MS = 2000;

function code(listing) {
  const copy = listing.cloneNode(true);
  const session = copy.querySelector(".gp") !== null;
  copy.querySelectorAll(SESSION_PARTS).forEach((part) => part.remove());
  const lines = copy.textContent.split("\n");
  return (session ? lines.filter((line) => line.trim() !== "") : lines).join("\n").trim() + "\n";
}

function announce(button, state, text) {
  button.dataset.state = state;
  button.textContent = text;
  setTimeout(() => {
    delete button.dataset.state;
    button.textContent = "Copy";
  }, SHOWN_MS);
}

function addButton(listing) {
  const host = listing.parentElement.matches(".highlight") ? listing.parentElement : listing;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  const text = code(listing);
  button.addEventListener("click", () =>
    navigator.clipboard.writeText(text).then(
      () => announce(button, "copied", "Copied"),
      () => announce(button, "refused", "Select to copy"),
    ),
  );
  host.classList.add("copy-host");
  host.append(button);
}

if (navigator.clipboard) {
  document.querySelectorAll(".prose pre").forEach(addButton);
}
