/**
 * Passkeys in the page: register, sign in, approve, add another one.
 *
 * W3C Web Authentication Level 3 with the `prf` extension (10.1.4). What the PRF gives never leaves this page: each
 * output goes through HKDF-SHA-256 first, and only the derived secret is sent, over TLS, to unwrap one key. The server
 * keeps neither. The server's answer `{ceremony, options, secrets}` says which keys, in the order of the PRF inputs.
 */

const INFO = "byoid wallet page ";

/** The browser or the citizen ended the ceremony, or the server refused it. `code`, or better `message_id`, has a text. */
export class PasskeyError extends Error {
  constructor(code, cause, message_id) {
    super(code, { cause });
    this.code = code;
    this.message_id = message_id;
  }
}

/** Whether this browser can hold a wallet at all. */
export function isSupported() {
  return Boolean(window.PublicKeyCredential && navigator.credentials && window.crypto?.subtle);
}

/** Make a wallet: `{protection}`, which the page explains where it isn't "passkey". */
export async function register({ accountName, name, url = "/passkeys/register" }) {
  const ceremony = await post(`${url}/options`, { account_name: accountName });
  return post(url, { ...(await create(ceremony)), name });
}

/** Sign in with any passkey of this site. */
export async function signIn({ url = "/passkeys/sign-in" } = {}) {
  return post(url, await get(await post(`${url}/options`, {})));
}

/**
 * Approve: ask the server what to sign after the citizen's choice, sign it, send the answer.
 * `options` is the URL that answers with a ceremony for `body` (the choice); `url` takes the answer.
 */
export async function approve({ options, body = {}, url }) {
  return post(url, await get(await post(options, body)));
}

/** Add a passkey: it is created, then an existing one agrees to exactly this one. */
export async function addPasskey({ accountName, name, url = "/passkeys/add" }) {
  const created = await create(await post(`${url}/options`, { account_name: accountName }));
  const consent = await post(`${url}/proposal`, { ...created, name });
  return post(url, { ...(await get(consent)), new_secrets: created.secrets });
}

/** Answer a ceremony that creates a passkey: what to post. */
export async function create({ ceremony, options, secrets: names }) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const credential = await ask(() => navigator.credentials.create({ publicKey }));
  const prf = credential.getClientExtensionResults().prf;
  let outputs = prf?.results;
  // Most authenticators say at creation only that they have a PRF; what it gives, they tell at an assertion. This one
  // goes nowhere: its challenge is ours, and only its PRF outputs are used.
  if (prf?.enabled && !outputs?.first) outputs = await evaluate(credential.rawId, options);
  return { ceremony, credential: toJSON(credential), secrets: await derive(outputs, names) };
}

/** Answer a ceremony that asserts: what to post. */
export async function get({ ceremony, options, secrets: names }) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await ask(() => navigator.credentials.get({ publicKey }));
  const outputs = credential.getClientExtensionResults().prf?.results;
  return { ceremony, credential: toJSON(credential), secrets: await derive(outputs, names) };
}

/** Send JSON to the wallet; throws PasskeyError with the server's code. */
export async function post(url, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "same-origin",
    body: JSON.stringify(body),
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new PasskeyError(found.error ?? "server_error", undefined, found.message);
  return found;
}

/**
 * A secret that only a passkey of this site gives, for something that stays in this browser: `{id, secret}`.
 * Its PRF input is none of the server's, so that it opens nothing there. Throws PasskeyError where there is no PRF.
 */
export async function secretOf(name, id) {
  const publicKey = {
    challenge: crypto.getRandomValues(new Uint8Array(32)),
    allowCredentials: id ? [{ type: "public-key", id }] : [],
    userVerification: "required",
    extensions: { prf: { eval: { first: new TextEncoder().encode(`${INFO}local ${name}`) } } },
  };
  const credential = await ask(() => navigator.credentials.get({ publicKey }));
  const found = credential.getClientExtensionResults().prf?.results?.first;
  if (!found) throw new PasskeyError("no_prf");
  return { id: credential.rawId, secret: await hkdf(found, `${INFO}local ${name}`) };
}

async function evaluate(id, options) {
  const prf = PublicKeyCredential.parseCreationOptionsFromJSON(options).extensions.prf;
  const publicKey = {
    challenge: crypto.getRandomValues(new Uint8Array(32)),
    rpId: options.rp.id,
    allowCredentials: [{ type: "public-key", id }],
    userVerification: "required",
    extensions: { prf },
  };
  const credential = await ask(() => navigator.credentials.get({ publicKey }));
  return credential.getClientExtensionResults().prf?.results;
}

async function ask(ceremony) {
  try {
    return await ceremony();
  } catch (error) {
    throw new PasskeyError(error.name === "InvalidStateError" ? "passkey_exists" : "passkey_declined", error);
  }
}

async function derive(outputs, names) {
  const inputs = [outputs?.first, outputs?.second];
  const secrets = {};
  for (const [place, name] of names.entries()) {
    if (inputs[place]) secrets[name] = base64url(await hkdf(inputs[place], INFO + name));
  }
  return secrets;
}

async function hkdf(secret, info) {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const parameters = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: new TextEncoder().encode(info) };
  return crypto.subtle.deriveBits(parameters, key, 256);
}

function toJSON(credential) {
  const found = credential.toJSON();
  delete found.clientExtensionResults?.prf?.results;
  return found;
}

function base64url(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
