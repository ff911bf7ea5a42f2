/**
 * What the wallet's pages do by script: passkeys, and what only a browser can do (print, install, local times).
 *
 * Elements say by `data-` attributes what they do; every text is the server's, in the hidden list `#texts`.
 */

import { isOn, renew, turnOff } from "/static/offline.js";
import { addPasskey, create, get, isSupported, post, register, signIn } from "/static/passkey.js";

const message = document.getElementById("message");

/** Return the server's text for a code. */
export function text(code) {
  const found = [...document.querySelectorAll("#texts dt")].find((term) => term.textContent === code);
  return found?.nextElementSibling.textContent ?? text("error-unknown");
}

/** Tell the citizen what went wrong, where a screen reader hears it too. */
export function tell(code) {
  message.textContent = text(code);
  message.hidden = false;
  message.scrollIntoView({ block: "center" });
}

function quiet() {
  message.hidden = true;
}

/** Run something once per click: the button waits, errors are told, `act` returns where to go on. */
export async function run(button, act) {
  if (document.body.classList.contains("busy")) return;
  wait(button);
  quiet();
  try {
    const next = await act();
    if (next) return location.assign(next); // and wait until that page is there
  } catch (error) {
    failed(error, button);
  }
  goOn();
}

/** Show that something is under way, where a screen reader hears it too. */
function wait(button) {
  document.body.classList.add("busy");
  button?.setAttribute("aria-busy", "true");
  document.getElementById("working").textContent = text("working");
}

function goOn() {
  document.body.classList.remove("busy");
  document.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
  document.getElementById("working").textContent = "";
}
addEventListener("pageshow", (event) => event.persisted && goOn()); // back from the next page

function failed(error, button) {
  const code = error.message_id ?? error.code ?? (navigator.onLine ? "error-unknown" : "offline");
  const retry = button?.closest("[data-retry]")?.dataset.retry;
  if (retry && code.startsWith("error-transaction-code")) location.assign(`${retry}?wrong=1`);
  else if (code === "not_signed_in" || code === "error-not-signed-in") location.assign(`/welcome?next=${encodeURIComponent(location.pathname + location.search)}`);
  else tell(code);
}

function fields(form) {
  return Object.fromEntries([...new FormData(form)].filter(([name]) => name !== "csrf"));
}

function onSubmit(selector, act) {
  for (const form of document.querySelectorAll(selector)) {
    form.addEventListener("submit", (event) => {
      if (form.method === "post") return; // without a passkey: the server does it (conformance tests)
      event.preventDefault();
      run(event.submitter, () => act(form));
    });
  }
}

function onClick(selector, act) {
  for (const button of document.querySelectorAll(selector)) button.addEventListener("click", () => run(button, () => act(button)));
}

/** A path of our own, with `next` kept: where a new wallet goes on. */
onSubmit("form[data-register]", async (form) => {
  const { account_name: accountName, name } = fields(form);
  await register({ accountName, name });
  remember();
  return form.dataset.next;
});

onClick("[data-sign-in]", async (button) => {
  await signIn();
  remember();
  return button.dataset.next;
});

/** About the account: one approval, then the next page. */
onClick("[data-approve][data-body]", async (button) => {
  await post(button.dataset.url, await get(await post(button.dataset.options, JSON.parse(button.dataset.body))));
  return button.dataset.next;
});

/** Of an offer: the transaction code goes along with the approval. */
onSubmit("form[data-offer]", async (form) => {
  const answer = await get(await post(`${form.dataset.offer}/proposal`, {}));
  const { tx_code: code = null } = fields(form);
  const outcome = await post(`${form.dataset.offer}/approve`, { post: answer, tx_code: code });
  if (outcome.go_to) return outcome.go_to;
  return `/offers/done?cards=${outcome.card_ids.join(",")}${outcome.deferred_ids.length ? "&promised=1" : ""}`;
});

/** Of a request: the choice first, then exactly that is approved. */
onSubmit("form[data-request]", async (form) => {
  const answer = await get(await post(`${form.dataset.request}/choice`, choice(form)));
  const presented = await post(`${form.dataset.request}/approve`, answer);
  if (presented.go_to) sessionStorage.setItem("back-to-service", presented.go_to);
  return `/requests/done/${presented.history_id}`;
});

function choice(form) {
  const cards = {};
  for (const input of form.querySelectorAll("input[name^='card:']")) {
    const query = input.name.slice("card:".length);
    const taken = input.type === "hidden" || input.checked;
    const set = input.closest("[data-set]");
    const wanted = !set || set.querySelector(`input[name='${set.dataset.set}']:checked`)?.dataset.queries.split(" ").includes(query);
    if (taken && wanted) cards[query] = [...(cards[query] ?? []), input.value];
  }
  const accepted = [...form.querySelectorAll("input[name='caution']")].filter((each) => each.type === "hidden" || each.checked);
  return { cards, accepted_cautions: accepted.map((each) => each.value) };
}

onClick("[data-recovery-code]", async () => {
  const ceremony = await post("/account/approvals/options", { action: "new-recovery-code" });
  const { recovery_code: code } = await post("/account/approvals", await get(ceremony));
  showCode(code);
});

function showCode(code) {
  document.getElementById("recovery-code").textContent = code;
  document.getElementById("before-code").hidden = true;
  const after = document.getElementById("after-code");
  after.hidden = false;
  after.querySelector("h2").focus();
}

onClick("[data-print]", async () => window.print());

onSubmit("form[data-add-passkey]", async (form) => {
  const { account_name: accountName, name } = fields(form);
  await addPasskey({ accountName, name });
  return form.dataset.next;
});

/** The end of a recovery: a new passkey for this device. The next code is made on the page that follows. */
onClick("[data-finish]", async (button) => {
  const form = button.closest("form");
  if (!form.reportValidity()) return null;
  const { code, name } = fields(form);
  const ceremony = await post("/recovery/passkey/options", { code, account_name: name });
  await post("/recovery/passkey", { ...(await create(ceremony)), code, name });
  return form.dataset.next;
});

/** The wallet, or its history, as an encrypted file. */
onSubmit("form[data-export]", async (form) => {
  const { passphrase } = fields(form);
  const answer = await fetch(form.dataset.export, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ passphrase }),
  });
  if (!answer.ok) throw await refusal(answer);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = form.dataset.file;
  link.click();
  form.reset();
  return null;
});

onSubmit("form[data-import]", async (form) => {
  const file = await form.querySelector("[type=file]").files[0].text();
  const found = await post("/api/import", { file, passphrase: form.querySelector("[type=password]").value });
  const result = document.getElementById("import-result");
  result.textContent = result.dataset.text.replace("%1", found.history).replace("%2", found.cards).replace("%3", found.to_request.length);
  result.hidden = false;
  document.getElementById("ask-again").hidden = !found.to_request.length;
  return null;
});

async function refusal(answer) {
  const { error, message: id } = await answer.json().catch(() => ({}));
  return Object.assign(new Error(error), { code: error ?? "server_error", message_id: id });
}

onClick("[data-copy]", async (button) => {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = text("copied");
});

/** The service that asked wants its visitor back (OpenID4VP 8.2): after a moment to read what happened, or at a tap. */
const back = document.querySelector("[data-back-to-service]");
const address = sessionStorage.getItem("back-to-service");
sessionStorage.removeItem("back-to-service");
if (back && address) {
  back.href = address;
  back.hidden = false;
}
if (back && !back.hidden) {
  document.getElementById("going-back").hidden = false;
  const leaving = setTimeout(() => location.assign(back.href), 2500);
  const stay = () => {
    clearTimeout(leaving);
    document.getElementById("going-back").hidden = true;
  };
  for (const act of ["pointerdown", "keydown"]) addEventListener(act, stay, { once: true }); // who reads on, stays
}

for (const time of document.querySelectorAll("time[data-moment]")) {
  const style = { dateStyle: "medium", timeStyle: "short" };
  time.textContent = new Intl.DateTimeFormat(document.documentElement.lang, style).format(new Date(time.dateTime));
}

/** Who has opened a wallet in this browser before wants to open it again: that button comes first. */
function remember() {
  localStorage.setItem("wallet", "known");
}

const ways = document.querySelector("[data-known-first]");
if (ways && localStorage.getItem("wallet")) {
  const [create, open] = ways.children;
  create.classList.add("second");
  open.classList.remove("second");
  ways.prepend(open);
}

const unsupported = document.getElementById("unsupported");
if (unsupported && !isSupported()) unsupported.hidden = false;

/** A sticky bar must not hide what has the keyboard's focus. */
document.addEventListener("focusin", (event) => {
  if (!event.target.closest(".decide, .tabs")) event.target.scrollIntoView({ block: "nearest" });
});

/** The copy for looking at cards offline: as the cards are now; of a locked wallet, none. */
async function keepCopy() {
  if (!(await isOn())) return;
  if (document.getElementById("locked-notice")) await turnOff();
  else if (location.pathname === "/" && document.getElementById("sign-out")) await renew();
}
keepCopy().catch(() => {}); // the copy of last time stays

if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js");
