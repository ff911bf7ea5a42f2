// A shop that wants to know in which country somebody lives: the verifier's HTTP API, with nothing but fetch.
//
//   VERIFIER_KEY=byoid_… node demo/http_service/service.mjs
//
// The browser talks to the shop only; the API key and the claims stay here. One attempt to identify has a transaction
// for each way to a wallet, and all of them belong to the browser session that started it.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const PORT = Number(process.env.PORT ?? 8004);
const ORIGIN = process.env.ORIGIN ?? `http://localhost:${PORT}`;
const VERIFIER = process.env.VERIFIER_URL ?? "http://localhost:8002";
const AUTHORIZATION = `Bearer ${process.env.VERIFIER_KEY}`;
const TRUST = JSON.parse(process.env.TRUST ?? '["demo"]'); // lists of issuers, as the verifier's operator calls them
const PID_MDOC = "eu.europa.ec.eudi.pid.1";
const QUERY = {
  dcql_query: {
    credentials: [
      { id: "pid", format: "dc+sd-jwt", meta: { vct_values: ["urn:eudi:pid:1"] }, claims: [{ path: ["address", "country"] }] },
      { id: "pid_mdoc", format: "mso_mdoc", meta: { doctype_value: PID_MDOC }, claims: [{ path: [PID_MDOC, "resident_country"] }] },
    ],
    credential_sets: [{ options: [["pid"], ["pid_mdoc"]] }],
  },
  trust: { "*": { lists: TRUST } },
};
const COUNTRY = { pid: (claims) => claims.address.country, pid_mdoc: (claims) => claims[PID_MDOC].resident_country };
const HEADERS = {
  "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": `default-src 'none'; script-src ${VERIFIER}; style-src 'self'; img-src 'self'; connect-src 'self'; `
    + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
};

// ---- The verifier's API -------------------------------------------------------------------------------------------

async function api(method, path, body) {
  const headers = { Authorization: AUTHORIZATION, ...(body && { "Content-Type": "application/json" }) };
  const answer = await fetch(`${VERIFIER}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Refusal(answer.status, await answer.text());
  return answer.headers.get("content-type") === "application/json" ? answer.json() : answer.text();
}

class Refusal extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

// ---- An attempt to identify ---------------------------------------------------------------------------------------

const attempts = new Map(); // by id; a shop with more than one process keeps them with its sessions

async function start(session) {
  const id = randomUUID();
  const begin = (mode, more) => api("POST", "/transactions", { query: "residence", session, mode, ...more });
  const same = await begin("same_device", { redirect_uri: `${ORIGIN}/identify/${id}/return` });
  const cross = await begin("cross_device");
  const digital = await begin("dc_api", { origin: ORIGIN });
  attempts.set(id, { session, same: same.id, cross: cross.id, digital: digital.id, requests: [digital.digital] });
  setTimeout(() => attempts.delete(id), 3600_000).unref();
  return {
    id, expires_in: Math.floor((Date.parse(same.expires_at) - Date.now()) / 1000), digital_credentials: true,
    same_device: { link: same.link, wallets: same.wallets },
    cross_device: { link: cross.link, qr: `/identify/${id}/qr.svg` },
  };
}

async function look(attempt) {
  if (attempt.country) return { state: "accepted", continue: "/welcome" };
  const states = {};
  for (const way of ["same", "cross", "digital"]) states[way] = (await api("GET", `/transactions/${attempt[way]}`)).state;
  const accepted = ["cross", "digital"].find((way) => states[way] === "accepted");
  if (accepted) {
    await read(attempt, accepted);
    return { state: "accepted", continue: "/welcome" };
  }
  if (states.same === "accepted") return { state: "answered" }; // read where the wallet sends the person, with its code
  return { state: ["rejected", "declined"].find((state) => Object.values(states).includes(state)) ?? "pending" };
}

async function read(attempt, way, code) {
  const own = new URLSearchParams({ session: attempt.session, ...(code && { response_code: code }) });
  const result = await api("GET", `/transactions/${attempt[way]}/result?${own}`);
  if (result.state !== "accepted") return;
  const [[query, [credential]]] = Object.entries(result.credentials);
  attempt.country = COUNTRY[query](credential.claims);
}

async function cancel(id, attempt) {
  attempts.delete(id);
  for (const way of ["same", "cross", "digital"]) await api("DELETE", `/transactions/${attempt[way]}`);
}

// ---- HTTP ---------------------------------------------------------------------------------------------------------

async function answer(request, session) {
  const url = new URL(request.url, ORIGIN);
  const [, area, id, ...rest] = url.pathname.split("/");
  if (area === "identify") return identify(request, session, id, `${request.method} ${rest.join("/")}`, url.searchParams);
  if (url.pathname === "/") return html((await file("page.html")).toString().replaceAll("{verifier}", VERIFIER));
  if (url.pathname === "/style.css") return { type: "text/css", body: await file("style.css") };
  if (url.pathname === "/welcome") return welcome([...attempts.values()].findLast((each) => each.session === session && each.country));
  return { status: 404 };
}

async function identify(request, session, id, action, query) {
  const body = request.method === "POST" ? await json(request) : null;
  if (!id) return request.method === "POST" ? { json: await start(session) } : { status: 405 };
  const attempt = attempts.get(id);
  if (attempt?.session !== session) return action === "GET return" ? elsewhere() : { status: 404 };
  switch (action) {
    case "GET ": return { json: await look(attempt) };
    case "GET qr.svg": return { type: "image/svg+xml", body: await api("GET", `/transactions/${attempt.cross}/qr.svg`) };
    case "POST digital": return { json: { requests: attempt.requests } };
    case "POST digital/response": await api("POST", `/transactions/${attempt.digital}/response`, { ...body, session }); return { status: 204 };
    case "GET return": await read(attempt, "same", query.get("response_code")); return { status: 303, to: attempt.country ? "/welcome" : "/" };
    case "DELETE ": await cancel(id, attempt); return { status: 204 };
    default: return { status: 404 };
  }
}

/** Read JSON: a form of another site can't send it, and we allow no other origin. */
async function json(request) {
  if (request.headers["content-type"] !== "application/json") throw new Refusal(415, "expected JSON");
  let text = "";
  for await (const chunk of request) if ((text += chunk).length > 1 << 20) throw new Refusal(413, "too long");
  return JSON.parse(text);
}

const file = (name) => readFile(new URL(name, import.meta.url));
const html = (body, status = 200) => ({ status, type: "text/html; charset=utf-8", body });
const page = (title, text, status) => html(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><link rel="stylesheet" href="/style.css"></head><body><main><h1>${title}</h1>${text}</main></body></html>`, status);

function welcome(attempt) {
  if (!attempt) return page("Who are you?", '<p><a href="/">Identify first</a></p>');
  return page("Welcome", `<p id="country">You live in ${attempt.country.replace(/[^A-Z]/g, "")}.</p>`);
}

function elsewhere() {
  return page("Start again", '<p>This was started in another browser, so it does not count here. <a href="/">Start again</a></p>', 403);
}

await api("PUT", "/queries/residence", QUERY);
createServer(async (request, response) => {
  const known = /(?:^|; )__Host-shop=([\w-]{36})/.exec(request.headers.cookie ?? "")?.[1];
  const session = known ?? randomUUID();
  const found = await answer(request, session).catch((error) => ({ status: error.status ?? 502, json: { error: "refused" } }));
  response.writeHead(found.status ?? 200, {
    ...HEADERS, "Content-Type": found.json ? "application/json" : (found.type ?? "text/plain"),
    ...(found.to && { Location: found.to }),
    ...(!known && { "Set-Cookie": `__Host-shop=${session}; Path=/; Secure; HttpOnly; SameSite=Lax` }),
  });
  response.end(found.json ? JSON.stringify(found.json) : (found.body ?? ""));
}).listen(PORT, "127.0.0.1", () => console.log(`ready at ${ORIGIN}`));
