// The playground shows what the drop-in does: the request once there is one, and the way to the reasons of a refusal.
"use strict";
const element = document.getElementById("verify");
const reasons = document.getElementById("reasons");

element.addEventListener("byoid-state", async (event) => {
  const { state, id, continue: next } = event.detail;
  reasons.hidden = !next || !["refused", "rejected"].includes(state);
  if (!reasons.hidden) document.getElementById("reasons-link").href = next;
  if (state === "pending") await showRequest(id);
});

async function showRequest(id) {
  const answer = await fetch(`${element.getAttribute("endpoint")}/${encodeURIComponent(id)}/request`);
  if (answer.ok) document.getElementById("request-text").textContent = await answer.text();
}
