// The left and right arrow keys lead to the previous and next lesson; the contents show where the reader is.
// Links, marks and the drawer need none of this.
"use strict";

const NEIGHBOUR = { ArrowLeft: "prev", ArrowRight: "next" };
const TYPING = "input, textarea, select, video, audio, [contenteditable]";

function scrollsSideways(element) {
  return element !== null && element.closest("pre, table, .table-scroll") !== null;
}

document.addEventListener("keydown", (event) => {
  const relation = NEIGHBOUR[event.key];
  const modified = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
  if (relation === undefined || modified || event.defaultPrevented) return;
  if (event.target.closest(TYPING) || scrollsSideways(event.target)) return;
  document.querySelector(`a[rel="${relation}"]`)?.click();
});

function showPlace() {
  const current = document.querySelector(".reader-side [aria-current]");
  if (current === null) return;
  for (const list of [current.closest("nav"), current.closest(".reader-side")]) {
    const middle = current.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 2;
    if (list.scrollHeight > list.clientHeight) list.scrollTop += middle;
  }
}

// The stylesheet shows the contents on wide screens even while the drawer is shut; assistive technology is told so too.
const drawer = document.querySelector(".drawer");
const wide = matchMedia("(min-width: 60rem)");
const follow = () => { drawer.open = wide.matches; };

if (drawer !== null) {
  drawer.addEventListener("toggle", showPlace);
  wide.addEventListener("change", follow);
  follow();
  showPlace();
}
