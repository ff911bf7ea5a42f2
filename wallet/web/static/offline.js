/**
 * Cards without a connection: a copy on this device that only the citizen's passkey opens.
 *
 * The cache "copy" holds two things. `/copy/key`: a P-256 key pair whose private half is wrapped (AES-256-GCM) under
 * what the passkey's PRF gives. `/copy/cards`: the cards as HTML, encrypted to the public half (ephemeral ECDH, HKDF,
 * AES-256-GCM), so that the copy is renewed without a prompt and read only with one. What is decrypted is shown, and
 * never written anywhere. Decision 0015.
 */

import { secretOf } from "/static/passkey.js";

const NAME = "copy";
const KEY = "/copy/key";
const CARDS = "/copy/cards";
const CURVE = { name: "ECDH", namedCurve: "P-256" };
const AES = { name: "AES-GCM", length: 256 };

/** Whether the citizen turned it on in this browser. */
export function isOn() {
  return "caches" in window ? caches.has(NAME) : false;
}

/** Turn it on: the passkey is asked once, for what will open the copy. */
export async function turnOn() {
  const { id, secret } = await secretOf(NAME);
  const pair = await crypto.subtle.generateKey(CURVE, true, ["deriveKey"]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const wrapped = await crypto.subtle.wrapKey("pkcs8", pair.privateKey, await aesKey(secret, ["wrapKey"]), { name: "AES-GCM", iv });
  const copy = await download();
  await write(KEY, {
    passkey: encode(id),
    wallet: copy.wallet,
    public: await crypto.subtle.exportKey("jwk", pair.publicKey),
    iv: encode(iv),
    private: encode(wrapped),
  });
  await keep(copy.html, pair.publicKey);
}

/** Renew the copy. Somebody else's is deleted: this browser now belongs to another wallet. */
export async function renew() {
  const [kept, copy] = [await read(KEY), await download()];
  if (kept.wallet !== copy.wallet) return turnOff();
  return keep(copy.html, await crypto.subtle.importKey("jwk", kept.public, CURVE, false, []));
}

/** Turn it off, and delete the copy. */
export function turnOff() {
  return caches.delete(NAME);
}

/** Open the copy with the passkey: `{at, html}`. Nothing goes over the net. */
export async function open() {
  const [kept, cards] = [await read(KEY), await read(CARDS)];
  const { secret } = await secretOf(NAME, decode(kept.passkey));
  const unwrapping = { name: "AES-GCM", iv: decode(kept.iv) };
  const key = await crypto.subtle.unwrapKey("pkcs8", decode(kept.private), await aesKey(secret, ["unwrapKey"]), unwrapping, CURVE, false, ["deriveKey"]);
  const ephemeral = await crypto.subtle.importKey("jwk", cards.ephemeral, CURVE, false, []);
  const bytes = await crypto.subtle.decrypt(once(), await agree(key, ephemeral, ["decrypt"]), decode(cards.sealed));
  return { at: cards.at, html: new TextDecoder().decode(bytes) };
}

async function download() {
  const answer = await fetch("/settings/device/copy");
  if (!answer.ok || answer.redirected) throw Object.assign(new Error("no copy"), { code: "not_signed_in" });
  return { html: await answer.text(), wallet: answer.headers.get("Wallet-Copy-Of") };
}

async function keep(html, publicKey) {
  const ephemeral = await crypto.subtle.generateKey(CURVE, true, ["deriveKey"]);
  const key = await agree(ephemeral.privateKey, publicKey, ["encrypt"]);
  const sealed = await crypto.subtle.encrypt(once(), key, new TextEncoder().encode(html));
  await write(CARDS, {
    at: new Date().toISOString(),
    ephemeral: await crypto.subtle.exportKey("jwk", ephemeral.publicKey),
    sealed: encode(sealed),
  });
}

/** A key is made for one message only, so its nonce may be constant. */
function once() {
  return { name: "AES-GCM", iv: new Uint8Array(12) };
}

async function agree(privateKey, publicKey, uses) {
  const shared = await crypto.subtle.deriveKey({ name: "ECDH", public: publicKey }, privateKey, { name: "HKDF" }, false, ["deriveKey"]);
  const parameters = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: new TextEncoder().encode("byoid wallet copy") };
  return crypto.subtle.deriveKey(parameters, shared, AES, false, uses);
}

function aesKey(secret, uses) {
  return crypto.subtle.importKey("raw", secret, AES, false, uses);
}

async function write(path, value) {
  await (await caches.open(NAME)).put(path, Response.json(value));
}

async function read(path) {
  return (await (await caches.open(NAME)).match(path)).json();
}

function encode(buffer) {
  return btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""));
}

function decode(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
