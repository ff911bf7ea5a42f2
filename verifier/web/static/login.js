// A login goes on by itself: to the service when the wallet's answer is accepted, which the drop-in does, and to the
// page that says why when it is not.
"use strict";
document.getElementById("verify").addEventListener("byoid-state", (event) => {
  const { state, continue: next } = event.detail;
  if (state === "rejected" && next) location.assign(next);
});
