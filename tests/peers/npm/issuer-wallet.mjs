// A wallet on @openid4vc and jose: reads one JSON request from standard input, goes through a whole issuance over HTTP,
// writes one JSON answer. given: link, txCode, configurationId, keys, provider (jwk, x5c), person, encrypt, deferred.
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { CompactEncrypt, SignJWT, compactDecrypt, compactVerify, importJWK } from "jose";
import { clientAuthenticationClientAttestationJwt, createClientAttestationJwt, setGlobalConfig } from "@openid4vc/oauth2";
import { Openid4vciClient } from "@openid4vc/openid4vci";

setGlobalConfig({ allowInsecureUrls: true });
const given = JSON.parse(readFileSync(0, "utf8"));
const publicJwk = ({ kty, crv, x, y }) => ({ kty, crv, x, y });
const keys = new Map();
const newKey = () => {
  const jwk = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
  keys.set(jwk.x, jwk);
  return publicJwk(jwk);
};
const signer = (jwk) => ({ method: "jwk", alg: "ES256", publicJwk: jwk });

const signJwt = async (who, { header, payload }) => {
  const jwk = who.method === "x5c" ? given.provider.jwk : keys.get(who.publicJwk.x);
  const jwt = await new SignJWT(payload).setProtectedHeader(header).sign(await importJWK(jwk, "ES256"));
  return { jwt, signerJwk: publicJwk(jwk) };
};
const verifyJwt = async (who, { compact }) => {
  await compactVerify(compact, await importJWK(who.publicJwk, "ES256"));
  return { verified: true, signerJwk: who.publicJwk };
};

const responseKey = newKey();
let metadata;
let notification;
const issuerFetch = async (url, init) => {
  const response = await encryptedFetch(url, init);
  if (!response.ok || String(url) !== metadata?.credentialIssuer.deferred_credential_endpoint) return response;
  // @openid4vc 0.4.6 refuses credentials that come with a notification_id from this endpoint, though 9.2 has it.
  const { notification_id: id, ...rest } = await response.json();
  notification = id;
  return new Response(JSON.stringify(rest), { status: response.status, headers: { "content-type": "application/json" } });
};
const encryptedFetch = async (url, init) => {
  const endpoints = metadata && [metadata.credentialIssuer.credential_endpoint, metadata.credentialIssuer.deferred_credential_endpoint];
  if (!given.encrypt || !endpoints?.includes(String(url))) return fetch(url, init);
  const { jwks } = metadata.credentialIssuer.credential_request_encryption;
  const key = jwks.keys[0];
  const body = {
    ...JSON.parse(init.body),
    credential_response_encryption: { jwk: { ...responseKey, alg: "ECDH-ES", kid: "wallet", use: "enc" }, enc: "A256GCM" },
  };
  const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(body)))
    .setProtectedHeader({ alg: key.alg, enc: "A128GCM", kid: key.kid })
    .encrypt(await importJWK(key, key.alg));
  const headers = new Headers(init.headers);
  headers.set("content-type", "application/jwt");
  const response = await fetch(url, { ...init, headers, body: jwe });
  if (!response.ok) return response;
  if (response.headers.get("content-type") !== "application/jwt") throw new Error("the answer is not encrypted");
  const { plaintext } = await compactDecrypt(await response.text(), await importJWK(keys.get(responseKey.x), "ECDH-ES"));
  return new Response(plaintext, { status: response.status, headers: { "content-type": "application/json" } });
};

const base = {
  fetch: issuerFetch,
  hash: (data, algorithm) => crypto.createHash(algorithm.replace("-", "")).update(data).digest(),
  generateRandom: (size) => crypto.randomBytes(size),
  signJwt, verifyJwt,
  encryptJwe: () => { throw new Error("unused"); }, decryptJwe: () => { throw new Error("unused"); },
};
const clientId = "https://wallet.peer.test";
const instance = newKey();
const { provider } = given;
const attestation = await createClientAttestationJwt({
  issuedAt: new Date(), expiresAt: new Date(Date.now() + 3600e3), issuer: "https://provider.test", clientId,
  confirmation: { jwk: instance }, signer: { method: "x5c", alg: "ES256", x5c: provider.x5c }, callbacks: base,
});
const callbacks = {
  ...base,
  clientAuthentication: clientAuthenticationClientAttestationJwt({ clientAttestationJwt: attestation, callbacks: base }),
};
const client = new Openid4vciClient({ callbacks });
const dpop = { signer: signer(newKey()) };

// The person's browser: cookies, hidden fields, and the buttons by their ids.
const cookies = new Map();
const browse = async (url, form) => {
  const response = await fetch(url, {
    method: form ? "POST" : "GET", redirect: "manual", body: form && new URLSearchParams(form),
    headers: { accept: "text/html", cookie: [...cookies].map((each) => each.join("=")).join("; "), ...(form ? { origin: new URL(url).origin } : {}) },
  });
  for (const each of response.headers.getSetCookie()) cookies.set(...each.split(";")[0].split("=", 2));
  return response;
};
const press = async (url, page, button, fields = {}) => {
  const form = page.match(/<form[\s\S]*?<\/form>/g).find((each) => each.includes(`id="${button}"`));
  const hidden = [...form.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]);
  const named = form.match(new RegExp(`id="${button}" name="([^"]+)" value="([^"]+)"`));
  return browse(url, { ...Object.fromEntries(hidden), ...fields, ...(named ? { [named[1]]: named[2] } : {}) });
};
const authorize = async (url) => {
  const signIn = await press(url, await (await browse(url)).text(), "login", given.person);
  if (signIn.status !== 303) throw new Error(`sign-in: ${signIn.status}`);
  const consent = new URL(signIn.headers.get("location"), url).href;
  const answer = await press(consent, await (await browse(consent)).text(), "consent-approve");
  return answer.headers.get("location");
};

const run = async () => {
  const credentialOffer = await client.resolveCredentialOffer(given.link);
  metadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
  let token;
  if (given.person) {
    const redirectUri = "https://wallet.peer.test/callback?from=issuer";
    const started = await client.initiateAuthorization({ credentialOffer, issuerMetadata: metadata, clientId, redirectUri, scope: given.configurationId, dpop });
    const redirectUrl = await authorize(started.authorizationRequestUrl);
    const response = client.parseAndVerifyAuthorizationResponseRedirectUrl({ url: redirectUrl, authorizationServerMetadata: metadata.authorizationServers[0] });
    if (!response.code) throw new Error(`no code: ${redirectUrl}`);
    token = await client.retrieveAuthorizationCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata: metadata, authorizationCode: response.code, pkceCodeVerifier: started.pkce.codeVerifier, redirectUri, dpop });
  } else {
    token = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata: metadata, txCode: given.txCode, dpop, additionalRequestPayload: { client_id: clientId } });
  }
  const accessToken = token.accessTokenResponse.access_token;
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata: metadata });
  const holder = Array.from({ length: given.keys }, newKey);
  const proofs = await Promise.all(holder.map(async (jwk) => (await client.createCredentialRequestJwtProof({
    issuerMetadata: metadata, credentialConfigurationId: given.configurationId, issuedAt: new Date(), nonce, clientId, signer: signer(jwk),
  })).jwt));
  let answer = await client.retrieveCredentials({ issuerMetadata: metadata, credentialConfigurationId: given.configurationId, proofs: { jwt: proofs }, accessToken, dpop });
  const promised = Boolean(answer.credentialResponse.transaction_id);
  if (promised) {
    answer = { credentialResponse: (await client.retrieveDeferredCredentials({ issuerMetadata: metadata, accessToken, transactionId: answer.credentialResponse.transaction_id, dpop })).deferredCredentialResponse };
  }
  const { credentials, notification_id: notificationId = notification } = answer.credentialResponse;
  await client.sendNotification({ issuerMetadata: metadata, accessToken, dpop, notification: { notificationId, event: "credential_accepted" } });
  return { credentials: credentials.map((each) => each.credential), holder, promised };
};

let answer;
try {
  answer = { result: await run() };
} catch (error) {
  answer = { error: `${error.name}: ${error.message} ${JSON.stringify(error.errorResponse ?? error.response ?? "")} ${error.stack}` };
}
process.stdout.write(JSON.stringify(answer));
