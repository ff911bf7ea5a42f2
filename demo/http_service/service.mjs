// A service that wants to know in which country somebody lives, with the verifier's HTTP API and nothing but fetch.
//
//   VERIFIER_KEY=byoid_… node demo/http_service/service.mjs
//
// The browser talks to this service only; the API key and the claims stay here. One attempt to identify has a
// transaction for each way to a wallet, and all of them belong to the browser session that started it.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const PORT = Number(process.env.PORT ?? 8004);
const ORIGIN = process.env.ORIGIN ?? `http://localhost:${PORT}`;
const VERIFIER = process.env.VERIFIER_URL ?? "http://localhost:8002";
const AUTHORIZATION = `Bearer ${process.env.VERIFIER_KEY}`;
const TRUST = JSON.parse(process.env.TRUST ?? '["demo"]'); // lists of issuers, as the verifier's operator calls them
const CSP = `default-src 'none'; script-src ${VERIFIER}; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'`;
const QUERY = {
  dcql_query: {
    credentials: [
      { id: "pid", format: "dc+sd-jwt", meta: { vct_values: ["urn:eudi:pid:1"] }, claims: [{ path: ["address", "country"] }] },
      { id: "pid_mdoc", format: "mso_mdoc", meta: { doctype_value: "eu.europa.ec.eudi.pid.1" }, claims: [{ path: ["eu.europa.ec.eudi.pid.1", "resident_country"] }] },
    ],
    credential_sets: [{ options: [["pid"], ["pid_mdoc"]] }],
  },
  trust: { "*": { lists: TRUST } },
};
const attempts = new Map(); // by id: {session, same, cross, digital, country}; a real service keeps them in its sessions

async function verifier(method, path, body) {
  const headers = { Authorization: AUTHORIZATION, "Content-Type": "application/json" };
  const answer = await fetch(`${VERIFIER}/api/v1${path}`, { method, headers: body ? headers : { Authorization: AUTHORIZATION }, body: JSON.stringify(body) });
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { status: answer.status });
  return answer.headers.get("content-type") === "application/json" ? answer.json() : answer.text();
}

async function start(session) {
  const id = randomUUID(), query = "residence";
  const same = await verifier("POST", "/transactions", { query, session, mode: "same_device", redirect_uri: `${ORIGIN}/identify/${id}/return` });
  const cross = await verifier("POST", "/transactions", { query, session, mode: "cross_device" });
  attempts.set(id, { session, same: same.id, cross: cross.id });
  return {
    id, expires_in: Math.floor((Date.parse(same.expires_at) - Date.now()) / 1000), digital_credentials: true,
    same_device: { link: same.link, wallets: same.wallets }, cross_device: { link: cross.link, qr: `/identify/${id}/qr.svg` },
  };
}

async function look(attempt) {
  for (const id of [attempt.cross, attempt.digital, attempt.same]) {
    if (!id || attempt.country) continue;
    const { state } = await verifier("GET", `/transactions/${id}`);
    if (state === "accepted" && id === attempt.same) return { state: "answered" }; // its result needs the response code
    if (state === "accepted") await read(attempt, id);
    else if (state !== "pending") return { state };
  }
  return attempt.country ? { state: "accepted", continue: "/welcome" } : { state: "pending" };
}

async function read(attempt, id, responseCode = "") {
  const own = new URLSearchParams({ session: attempt.session, ...(responseCode && { response_code: responseCode }) });
  const { credentials } = await verifier("GET", `/transactions/${id}/result?${own}`);
  const [name, [shown]] = Object.entries(credentials)[0];
  attempt.country = name === "pid" ? shown.claims.address.country : shown.claims["eu.europa.ec.eudi.pid.1"].resident_country;
}

async function digital(attempt) {
  const started = await verifier("POST", "/transactions", { query: "residence", session: attempt.session, mode: "dc_api", origin: ORIGIN });
  attempt.digital = started.id;
  return { requests: [started.digital] };
}

async function answer(request, session) {
  const url = new URL(request.url, ORIGIN), [, area, id, action, detail] = url.pathname.split("/");
  const route = `${request.method} ${action ?? ""}${detail ? `/${detail}` : ""}`;
  if (url.pathname === "/") return page(await readFile(new URL("page.html", import.meta.url), "utf8"));
  if (url.pathname === "/style.css") return { type: "text/css", body: await readFile(new URL("style.css", import.meta.url)) };
  if (url.pathname === "/welcome") return welcome([...attempts.values()].findLast((each) => each.session === session && each.country));
  if (area !== "identify") return { status: 404 };
  // A form of another site can't send JSON, and we allow no other origin.
  const body = request.method === "POST" ? await json(request) : null;
  if (!id) return request.method === "POST" ? { json: await start(session) } : { status: 405 };
  const attempt = attempts.get(id);
  if (attempt?.session !== session) return { status: 404 };
  switch (route) {
    case "GET ": return { json: await look(attempt) };
    case "GET qr.svg": return { type: "image/svg+xml", body: await verifier("GET", `/transactions/${attempt.cross}/qr.svg`) };
    case "GET return": await read(attempt, attempt.same, url.searchParams.get("response_code")); return { status: 303, to: "/welcome" };
    case "POST digital": return { json: await digital(attempt) };
    case "POST digital/response": await verifier("POST", `/transactions/${attempt.digital}/response`, { ...body, session }); return { status: 204 };
    case "DELETE ": attempts.delete(id); await Promise.all([attempt.same, attempt.cross].map((each) => verifier("DELETE", `/transactions/${each}`))); return { status: 204 };
    default: return { status: 404 };
  }
}

async function json(request) {
  if (request.headers["content-type"] !== "application/json") throw Object.assign(new Error("expected JSON"), { status: 415 });
  let text = "";
  for await (const chunk of request) if ((text += chunk).length > 1 << 20) throw Object.assign(new Error("too long"), { status: 413 });
  return JSON.parse(text);
}

function page(html) {
  return { type: "text/html; charset=utf-8", body: html.replaceAll("{verifier}", VERIFIER) };
}

function welcome(attempt) {
  const text = attempt ? `<h1>Welcome</h1><p id="country">You live in ${attempt.country.replace(/[^A-Z]/g, "")}.</p>` : '<h1>Who are you?</h1><p><a href="/">Identify first</a></p>';
  return page(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Moorladen</title><link rel="stylesheet" href="/style.css"><main>${text}</main></html>`);
}

await verifier("PUT", "/queries/residence", QUERY);
createServer(async (request, response) => {
  const known = /__Host-shop=([\w-]{36})/.exec(request.headers.cookie ?? "")?.[1], session = known ?? randomUUID();
  const found = await answer(request, session).catch((error) => ({ status: error.status ?? 502, json: { error: "refused" } }));
  response.writeHead(found.status ?? 200, {
    "Content-Type": found.json ? "application/json" : (found.type ?? "text/plain"), "Content-Security-Policy": CSP, "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer", ...(found.to && { Location: found.to }), ...(!known && { "Set-Cookie": `__Host-shop=${session}; Path=/; Secure; HttpOnly; SameSite=Lax` }),
  });
  response.end(found.json ? JSON.stringify(found.json) : (found.body ?? ""));
}).listen(PORT, new URL(ORIGIN).hostname === "localhost" ? "localhost" : "127.0.0.1", () => console.log(`ready at ${ORIGIN}`));
