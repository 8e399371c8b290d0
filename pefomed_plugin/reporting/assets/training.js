"use strict";
// Loads the page anew while a run is under way, until the reader stops that; never under a reader who is at the button.

// @include make.js

function setUpReloading(again) {
  const button = again.querySelector("button");
  let isPaused = false;
  button.hidden = false;
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? "Go on" : "Pause";
    button.blur();
  });
  setInterval(() => { if (!isPaused && document.activeElement !== button) location.reload(); }, 1000 * Number(again.dataset.seconds));
}

document.querySelectorAll(".plain-table").forEach(saysThatItScrolls);
if ($("again")) setUpReloading($("again"));
