// A wallet of @openid4vc/openid4vp over HTTP, with @sd-jwt/sd-jwt-vc and @owf/mdoc. In: {link, holder, sdJwt, frame, mdoc,
// doctype, elements}, the key as private JWK; out: {status, answer, method, clientId, version} or {error}.
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import * as jose from "jose";
import { setGlobalConfig } from "@openid4vc/oauth2";
import { Openid4vpClient } from "@openid4vc/openid4vp";
import { ES256, digest as sdDigest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import * as mdoc from "@owf/mdoc";
import { bytes, digest, random, sign, x509 } from "./mdoc-crypto.mjs";

setGlobalConfig({ allowInsecureUrls: true });
const given = JSON.parse(readFileSync(0));
const hash = (data, algorithm) => new Uint8Array(crypto.createHash(algorithm.replace("-", "")).update(data).digest());
let method = "GET";

const callbacks = {
  hash, generateRandom: (size) => new Uint8Array(crypto.randomBytes(size)), clientAuthentication: () => {},
  fetch: (url, options) => {
    if (!options?.body || !String(url).includes("/responses/")) method = (options?.method ?? "GET").toUpperCase();
    return fetch(url, options);
  },
  verifyJwt: async (signer, { compact }) => {
    const certificate = new crypto.X509Certificate(Buffer.from(signer.x5c[0], "base64"));
    await jose.compactVerify(compact, certificate.publicKey);
    return { verified: true, signerJwk: certificate.publicKey.export({ format: "jwk" }) };
  },
  getX509CertificateMetadata: (certificate) => {
    const names = new crypto.X509Certificate(Buffer.from(certificate, "base64")).subjectAltName ?? "";
    const named = (kind) => names.split(", ").filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length));
    return { sanDnsNames: named("DNS:"), sanUriNames: named("URI:") };
  },
  decryptJwe: () => { throw new Error("unused"); },
  signJwt: () => { throw new Error("unused"); },
  encryptJwe: async ({ publicJwk: jwk, enc, alg }, data) => ({
    encryptionJwk: jwk,
    jwe: await new jose.CompactEncrypt(Buffer.from(data))
      .setProtectedHeader({ alg, enc, kid: jwk.kid }).encrypt(await jose.importJWK(jwk, alg)),
  }),
};

const context = {
  crypto: { random, digest },
  cose: { sign1: { sign: ({ key, toBeSigned }) => sign(key.jwk, toBeSigned) } },
  x509: { getIssuerNameField: x509.getIssuerNameField, getPublicKey: ({ certificate }) => mdoc.CoseKey.fromJwk(x509.publicJwk(certificate)) },
};

const showSdJwt = async (request) => {
  const instance = new SDJwtVcInstance({
    hasher: sdDigest, hashAlg: "sha-256", signAlg: "ES256", kbSignAlg: "ES256", saltGenerator: generateSalt,
    kbSigner: await ES256.getSigner(given.holder),
  });
  const payload = { aud: request.client_id, nonce: request.nonce, iat: Math.floor(Date.now() / 1000) };
  return instance.present(given.sdJwt, given.frame, { kb: { payload } });
};
const showMdoc = async (request) => {
  const key = request.client_metadata?.jwks?.keys[0];
  const jwkThumbprint = key ? new Uint8Array(Buffer.from(await jose.calculateJwkThumbprint(key), "base64url")) : undefined;
  const sessionTranscript = await mdoc.SessionTranscript.forOid4Vp(
    { clientId: request.client_id, nonce: request.nonce, responseUri: request.response_uri, jwkThumbprint }, context);
  const itemsRequest = mdoc.ItemsRequest.create({ docType: given.doctype, namespaces: given.elements });
  const deviceRequest = mdoc.DeviceRequest.create({ docRequests: [mdoc.DocRequest.create({ itemsRequest })] });
  const response = await mdoc.Holder.createDeviceResponseForDeviceRequest(
    { deviceRequest, sessionTranscript, issuerSigned: [mdoc.IssuerSigned.decode(bytes(given.mdoc))],
      signature: { signingKey: mdoc.CoseKey.fromJwk({ ...given.holder, alg: "ES256" }) } }, context);
  return Buffer.from(response.encode()).toString("base64url");
};

try {
  const client = new Openid4vpClient({ callbacks });
  const parsed = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: given.link });
  const metadata = { vp_formats_supported: { "dc+sd-jwt": {}, mso_mdoc: {} }, client_id_prefixes_supported: ["x509_hash"] };
  const resolved = await client.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: parsed.params, wallet: { metadata } });
  const request = resolved.authorizationRequestPayload;
  const [asked] = resolved.dcql.query.credentials;
  const presentation = await (asked.format === "mso_mdoc" ? showMdoc : showSdJwt)(request);
  const encrypted = request.response_mode.endsWith(".jwt");
  const created = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request, authorizationResponsePayload: { vp_token: { [asked.id]: [presentation] } },
    ...(encrypted ? { jarm: {
      encryption: { nonce: "" },
      serverMetadata: { authorization_signing_alg_values_supported: [], authorization_encryption_alg_values_supported: ["ECDH-ES"],
        authorization_encryption_enc_values_supported: ["A256GCM", "A128GCM"] },
    } } : {}),
  });
  const { response } = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request, authorizationResponsePayload: created.authorizationResponsePayload, jarm: created.jarm });
  console.log(JSON.stringify({ status: response.status, answer: await response.json(), method, clientId: request.client_id, version: resolved.version }));
} catch (error) {
  console.log(JSON.stringify({ error: String(error.stack ?? error) }));
}
