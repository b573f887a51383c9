// Small comforts for long texts; without script the text is all there.
// Copy buttons: interactive sessions are copied as code that runs, without prompts, output and tracebacks.
// Section links: a heading with an anchor offers the link to itself.
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

function addCopyButton(listing) {
  const text = code(listing);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", () =>
    navigator.clipboard.writeText(text).then(
      () => announce(button, "copied", "Copied"),
      () => announce(button, "refused", "Select to copy"),
    ),
  );
  const host = document.createElement("div"); // so that the button stays put while the listing scrolls
  host.className = "copy-host";
  listing.replaceWith(host);
  host.append(listing, button);
}

function addSectionLink(heading) {
  const anchor = heading.id || (heading.parentElement.matches("section") ? heading.parentElement.id : "");
  if (!anchor || heading.querySelector(".headerlink")) return;
  const link = document.createElement("a");
  link.className = "headerlink";
  link.href = `#${anchor}`;
  link.textContent = "#";
  link.setAttribute("aria-label", `Link to “${heading.textContent.trim()}”`);
  heading.append(link);
}

// What scrolls must be reachable by keyboard; not every browser does that by itself.
function makeReachable(listing) {
  if (listing.scrollWidth > listing.clientWidth) listing.tabIndex = 0;
}

document.querySelectorAll(".prose :is(pre, table)").forEach(makeReachable);
document.querySelectorAll(".prose :is(h2, h3, h4)").forEach(addSectionLink);
if (navigator.clipboard) document.querySelectorAll(".prose pre").forEach(addCopyButton);
