// A verifier of @openid4vc/openid4vp over HTTP, with @sd-jwt/sd-jwt-vc and @owf/mdoc. In: one line with its configuration;
// out: one line with the link, then one line for each response with what it showed, or why it was refused.
import crypto from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import * as jose from "jose";
import { setGlobalConfig } from "@openid4vc/oauth2";
import { Openid4vpVerifier, calculateX509HashClientIdPrefixValue } from "@openid4vc/openid4vp";
import { ES256, digest as sdDigest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import * as mdoc from "@owf/mdoc";
import { agree, bytes, digest, mac, random, verify, x509 } from "./mdoc-crypto.mjs";

setGlobalConfig({ allowInsecureUrls: true });
const given = JSON.parse((await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next()).value);
const b64u = (data) => Buffer.from(data).toString("base64url");
const publicJwk = ({ d, ...jwk }) => jwk;
const hash = (data, algorithm) => crypto.createHash(algorithm.replace("-", "")).update(data).digest();
const responseKey = { ...(await jose.exportJWK((await jose.generateKeyPair("ECDH-ES", { crv: "P-256", extractable: true })).privateKey)) };
const responseJwk = { ...publicJwk(responseKey), kid: "response", use: "enc", alg: "ECDH-ES" };

const callbacks = {
  fetch: () => { throw new Error("no network"); },
  hash, generateRandom: (size) => crypto.randomBytes(size), clientAuthentication: () => {},
  signJwt: async (_, { header, payload }) => {
    const input = `${b64u(JSON.stringify(header))}.${b64u(JSON.stringify(payload))}`;
    const key = crypto.createPrivateKey({ key: given.privateJwk, format: "jwk" });
    return { jwt: `${input}.${b64u(crypto.sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }))}`, signerJwk: publicJwk(given.privateJwk) };
  },
  verifyJwt: () => { throw new Error("unused"); },
  encryptJwe: async ({ publicJwk: jwk, enc }, compact) => ({
    encryptionJwk: jwk,
    jwe: await new jose.CompactEncrypt(Buffer.from(compact)).setProtectedHeader({ alg: "ECDH-ES", enc, kid: jwk.kid }).encrypt(await jose.importJWK(jwk, "ECDH-ES")),
  }),
  decryptJwe: async (jwe) => {
    const { plaintext } = await jose.compactDecrypt(jwe, await jose.importJWK(responseKey, "ECDH-ES"));
    return { decrypted: true, decryptionJwk: responseJwk, payload: Buffer.from(plaintext).toString() };
  },
};
const verifier = new Openid4vpVerifier({ callbacks });

const context = {
  crypto: { random, digest, calculateEphemeralMacKey: ({ privateKey, publicKey, sessionTranscriptBytes }) =>
    mdoc.CoseKey.create({ keyType: mdoc.KeyType.Oct, k: new Uint8Array(agree(privateKey, publicKey, sessionTranscriptBytes)) }) },
  cose: {
    sign1: { verify: ({ key, sign1 }) => verify(key.jwk, sign1.toBeSigned, sign1.signature) },
    mac0: { verify: ({ key, mac0 }) => Buffer.compare(mac(key.privateKey, mac0.toBeAuthenticated), mac0.tag) === 0 },
  },
  x509: {
    getIssuerNameField: x509.getIssuerNameField, verifyCertificateChain: x509.requireChain, getCertificateData: x509.getCertificateData,
    getPublicKey: ({ certificate }) => mdoc.CoseKey.fromJwk(x509.publicJwk(certificate)),
  },
};

const server = createServer(async (request, response) => {
  const body = [];
  for await (const chunk of request) body.push(chunk);
  const form = Object.fromEntries(new URLSearchParams(Buffer.concat(body).toString()));
  const send = (status, type, content) => response.writeHead(status, { "Content-Type": type }).end(content);
  try {
    if (request.url === "/request") return send(200, "application/oauth-authz-req+jwt", await requestObject(form));
    const shown = await judge(form);
    console.log(JSON.stringify(shown));
    send(200, "application/json", JSON.stringify({ redirect_uri: `${base}/done` }));
  } catch (error) {
    console.log(JSON.stringify({ refused: String(error.stack ?? error) }));
    send(400, "application/json", JSON.stringify({ error: "invalid_request" }));
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const base = `http://127.0.0.1:${server.address().port}`;
const clientId = `x509_hash:${await calculateX509HashClientIdPrefixValue({ x509Certificate: given.x5c[0], hash })}`;
const payload = {
  response_type: "vp_token", client_id: clientId, response_mode: given.responseMode, response_uri: `${base}/response`,
  nonce: b64u(crypto.randomBytes(32)), state: b64u(crypto.randomBytes(32)), dcql_query: given.query,
  client_metadata: {
    jwks: { keys: [responseJwk] }, encrypted_response_enc_values_supported: ["A256GCM"],
    vp_formats_supported: {
      "dc+sd-jwt": { "sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"] },
      mso_mdoc: { issuerauth_alg_values: [-7], deviceauth_alg_values: [-7] },
    },
  },
};

async function requestObject({ wallet_nonce: nonce, wallet_metadata: metadata }) {
  const created = await verifier.createOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: nonce ? { ...payload, wallet_nonce: nonce } : payload,
    jar: {
      requestUri: `${base}/request`, expiresInSeconds: 300, additionalJwtPayload: { aud: "https://self-issued.me/v2" },
      jwtSigner: { method: "x5c", x5c: given.x5c, alg: "ES256" },
    },
    wallet: nonce ? { expectedNonce: nonce, metadata: JSON.parse(metadata) } : undefined,
  });
  return created.jar.authorizationRequestJwt;
}

async function judge(form) {
  const parsed = await verifier.parseOpenid4vpAuthorizationResponse({ authorizationResponse: form, authorizationRequestPayload: payload, callbacks });
  const shown = {};
  for (const [id, presentations] of Object.entries(parsed.dcql.presentations)) {
    const { format } = payload.dcql_query.credentials.find((credential) => credential.id === id);
    shown[id] = await (format === "mso_mdoc" ? openMdoc : openSdJwt)(presentations[0]);
  }
  return { state: parsed.authorizationResponsePayload.state === payload.state, shown };
}

async function openSdJwt(presentation) {
  const instance = new SDJwtVcInstance({
    hasher: sdDigest, hashAlg: "sha-256", saltGenerator: generateSalt, verifier: await ES256.getVerifier(given.issuerJwk),
    kbVerifier: async (data, signature, { cnf }) => (await ES256.getVerifier(cnf.jwk))(data, signature),
  });
  const { payload: claims, kb } = await instance.verify(presentation, { keyBindingNonce: payload.nonce });
  if (kb.payload.aud !== clientId) throw new Error("another audience");
  return claims;
}

async function openMdoc(presentation) {
  const jwkThumbprint = payload.response_mode === "direct_post.jwt"
    ? new Uint8Array(Buffer.from(await jose.calculateJwkThumbprint(responseJwk), "base64url")) : undefined;
  const sessionTranscript = await mdoc.SessionTranscript.forOid4Vp(
    { clientId, nonce: payload.nonce, responseUri: payload.response_uri, jwkThumbprint }, context);
  const decoded = mdoc.DeviceResponse.decode(new Uint8Array(Buffer.from(presentation, "base64url"))), failed = [];
  await mdoc.Verifier.verifyDeviceResponse(
    { deviceResponse: decoded, sessionTranscript, trustedCertificates: [bytes(given.anchor)],
      onCheck: (check) => check.status === "FAILED" && failed.push(check.check) }, context);
  if (failed.length) throw new Error(failed.join("; "));
  const items = [...decoded.documents[0].issuerSigned.issuerNamespaces.issuerNamespaces.values()].flat();
  return Object.fromEntries(items.map((item) => [item.elementIdentifier, item.elementValue]));
}

const link = new URLSearchParams({ client_id: clientId, request_uri: `${base}/request`, ...(given.post ? { request_uri_method: "post" } : {}) });
console.log(JSON.stringify({ link: `openid4vp://?${link}` }));
