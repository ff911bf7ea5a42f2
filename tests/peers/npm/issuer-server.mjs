// An issuer of @openid4vc over HTTP; credentials by @sd-jwt/sd-jwt-vc and @owf/mdoc. In (one line of standard input):
// {credentialKey, credentialX5c, documentKey, documentX5c, accessKey, txCode, attested}; out: {url, offer, notifications}
// with `offer` by reference. GET /log tells what was verified; GET /authorize answers at once.
import crypto from "node:crypto";
import http from "node:http";
import { createInterface } from "node:readline";
import { Openid4vciIssuer } from "@openid4vc/openid4vci";
import { Oauth2AuthorizationServer, Oauth2ResourceServer, setGlobalConfig } from "@openid4vc/oauth2";
import * as owf from "@owf/mdoc";
import { ES256, digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { bytes, digest as mdocDigest, random, sign, x509 } from "./mdoc-crypto.mjs";

setGlobalConfig({ allowInsecureUrls: true });
const given = JSON.parse((await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next()).value);
const b64u = (data) => Buffer.from(data).toString("base64url");
const publicJwk = ({ d, ...jwk }) => jwk;
const log = { tokens: [], proofs: [], notifications: [], pushed: [] };
const PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
const DOCTYPE = "eu.europa.ec.eudi.pid.1";
const code = crypto.randomUUID();
const nonces = new Set();
let pushed, pkce;

const callbacks = {
  fetch,
  hash: (data, algorithm) => crypto.createHash(algorithm.replace("-", "")).update(data).digest(),
  generateRandom: (size) => crypto.randomBytes(size),
  signJwt: async (signer, { header, payload }) => {
    const input = `${b64u(JSON.stringify(header))}.${b64u(JSON.stringify(payload))}`;
    const key = crypto.createPrivateKey({ key: given.accessKey, format: "jwk" });
    const signature = crypto.sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
    return { jwt: `${input}.${b64u(signature)}`, signerJwk: publicJwk(given.accessKey) };
  },
  verifyJwt: async (signer, { compact }) => {
    const [head, body, signature] = compact.split(".");
    const key = signer.method === "x5c"
      ? new crypto.X509Certificate(Buffer.from(signer.x5c[0], "base64")).publicKey
      : crypto.createPublicKey({ key: signer.publicJwk ?? publicJwk(given.accessKey), format: "jwk" });
    const verified = crypto.verify("sha256", Buffer.from(`${head}.${body}`), { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
    return verified ? { verified, signerJwk: key.export({ format: "jwk" }) } : { verified };
  },
  encryptJwe: () => { throw new Error("unused"); }, decryptJwe: () => { throw new Error("unused"); },
  clientAuthentication: () => {},
};
const issuer = new Openid4vciIssuer({ callbacks });
const server = new Oauth2AuthorizationServer({ callbacks });
const resources = new Oauth2ResourceServer({ callbacks });

const web = http.createServer((request, response) => answer(request).then(
  ({ status = 200, headers = {}, body }) => {
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
    response.end(body === undefined ? "" : JSON.stringify(body));
  },
  (error) => {
    process.stderr.write(`${request.url}: ${error.stack} ${JSON.stringify(error.errorResponse ?? "")}\n`);
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify(error.errorResponse ?? { error: "invalid_request" }));
  }));
await new Promise((done) => web.listen(0, "127.0.0.1", done));
const url = `http://localhost:${web.address().port}`;

const proof_types_supported = { jwt: { proof_signing_alg_values_supported: ["ES256"], ...(given.attested ? { key_attestations_required: {} } : {}) } };
const display = [{ name: "Person identification data", locale: "en" }];
const metadata = issuer.createCredentialIssuerMetadata({
  credential_issuer: url, credential_endpoint: `${url}/credential`, nonce_endpoint: `${url}/nonce`,
  notification_endpoint: `${url}/notification`, batch_credential_issuance: { batch_size: 4 },
  display: [{ name: "openid4vc" }],
  credential_configurations_supported: {
    pid: { format: "dc+sd-jwt", vct: "urn:eudi:pid:1", scope: "pid", cryptographic_binding_methods_supported: ["jwk"], proof_types_supported, credential_metadata: { display } },
    mdoc: { format: "mso_mdoc", doctype: DOCTYPE, scope: "mdoc", cryptographic_binding_methods_supported: ["cose_key"], proof_types_supported, credential_metadata: { display } },
  },
});
const authorizationServer = server.createAuthorizationServerMetadata({
  issuer: url, token_endpoint: `${url}/token`, authorization_endpoint: `${url}/authorize`,
  pushed_authorization_request_endpoint: `${url}/par`, require_pushed_authorization_requests: true,
  authorization_response_iss_parameter_supported: true, jwks_uri: `${url}/jwks`,
  grant_types_supported: ["authorization_code", PRE_AUTHORIZED], token_endpoint_auth_methods_supported: ["attest_jwt_client_auth"],
  code_challenge_methods_supported: ["S256"], dpop_signing_alg_values_supported: ["ES256"],
});
const issuerMetadata = { credentialIssuer: metadata, authorizationServers: [authorizationServer], originalDraftVersion: "V1", knownCredentialConfigurations: metadata.credential_configurations_supported };
const offer = await issuer.createCredentialOffer({
  credentialConfigurationIds: ["pid", "mdoc"], issuerMetadata, credentialOfferUri: `${url}/offer`,
  grants: { [PRE_AUTHORIZED]: { "pre-authorized_code": code, ...(given.txCode ? { tx_code: { input_mode: "numeric", length: 6 } } : {}) } },
});

async function answer(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const like = { method: request.method, url: url + request.url, headers: new Headers(request.headers) };
  const { pathname, searchParams } = new URL(like.url);
  return routes[pathname](text, like, searchParams);
}

const attestation = (parsed) => ({ ...parsed.clientAttestation, required: true, ensureConfirmationKeyMatchesDpopKey: false });
const routes = {
  "/.well-known/openid-credential-issuer": async () => ({ body: metadata }),
  "/.well-known/oauth-authorization-server": async () => ({ body: authorizationServer }),
  "/jwks": async () => ({ body: { keys: [publicJwk(given.accessKey)] } }),
  "/log": async () => ({ body: log }),
  "/offer": async () => ({ body: offer.credentialOfferObject }),
  "/par": async (text, request) => {
    const parsed = await server.parsePushedAuthorizationRequest({ request, authorizationRequest: Object.fromEntries(new URLSearchParams(text)) });
    await server.verifyPushedAuthorizationRequest({ ...parsed, request, authorizationServerMetadata: authorizationServer, clientAttestation: attestation(parsed), dpop: { ...parsed.dpop, allowedSigningAlgs: ["ES256"] } });
    pushed = parsed.authorizationRequest;
    pkce = { codeChallenge: pushed.code_challenge, codeChallengeMethod: pushed.code_challenge_method };
    log.pushed.push(pushed);
    const { pushedAuthorizationResponse } = server.createPushedAuthorizationResponse({ requestUri: `urn:ietf:params:oauth:request_uri:${crypto.randomUUID()}`, expiresInSeconds: 60 });
    return { status: 201, body: pushedAuthorizationResponse };
  },
  "/authorize": async () => {
    const back = new URL(pushed.redirect_uri);
    for (const [name, value] of Object.entries({ code, state: pushed.state, iss: url })) back.searchParams.set(name, value);
    return { status: 303, headers: { location: back.toString() } };
  },
  "/token": async (text, request) => {
    const parsed = server.parseAccessTokenRequest({ request, accessTokenRequest: Object.fromEntries(new URLSearchParams(text)) });
    const common = {
      grant: parsed.grant, accessTokenRequest: parsed.accessTokenRequest, request, authorizationServerMetadata: authorizationServer,
      dpop: { ...parsed.dpop, required: true, allowedSigningAlgs: ["ES256"] }, clientAttestation: attestation(parsed),
    };
    const verified = parsed.grant.grantType === PRE_AUTHORIZED
      ? await server.verifyPreAuthorizedCodeAccessTokenRequest({ ...common, expectedPreAuthorizedCode: code, expectedTxCode: given.txCode })
      : await server.verifyAuthorizationCodeAccessTokenRequest({ ...common, expectedCode: code, pkce: { ...pkce, codeVerifier: parsed.pkceCodeVerifier } });
    log.tokens.push(verified.clientAttestation.clientAttestation.payload);
    const { jwk } = verified.dpop;
    return { body: await server.createAccessTokenResponse({
      audience: url, authorizationServer: url, clientId: "byoid-wallet", expiresInSeconds: 300, subject: code, dpop: { jwk },
      scope: "pid mdoc", signer: { method: "jwk", alg: "ES256", publicJwk: publicJwk(given.accessKey) },
    }) };
  },
  "/nonce": async () => {
    const cNonce = crypto.randomUUID();
    nonces.add(cNonce);
    return { body: issuer.createNonceResponse({ cNonce, cNonceExpiresIn: 60 }) };
  },
  "/credential": async (text, request) => {
    await resources.verifyResourceRequest({ request, resourceServer: url, authorizationServers: [authorizationServer], allowedAuthenticationSchemes: ["DPoP"] });
    const credentialRequest = issuer.parseCredentialRequest({ issuerMetadata, credentialRequest: JSON.parse(text) });
    const keys = [];
    for (const jwt of credentialRequest.proofs.jwt) {
      const nonce = JSON.parse(Buffer.from(jwt.split(".")[1], "base64url")).nonce;
      if (!nonces.has(nonce)) return { status: 400, body: { error: "invalid_nonce" } };
      const proof = await issuer.verifyCredentialRequestJwtProof({ jwt, expectedNonce: nonce, clientId: "byoid-wallet", issuerMetadata });
      log.proofs.push({ attested: Boolean(proof.keyAttestation) });
      keys.push(...(proof.keyAttestation ? proof.keyAttestation.payload.attested_keys : [proof.signer.publicJwk]));
    }
    nonces.clear();
    const make = credentialRequest.credentialConfigurationId === "mdoc" ? mdoc : sdJwtVc;
    const credentials = await Promise.all(keys.map(async (jwk) => ({ credential: await make(jwk) })));
    return { body: issuer.createCredentialResponse({ credentialRequest, credentials, notificationId: "n-1" }) };
  },
  "/notification": async (text) => {
    log.notifications.push(JSON.parse(text));
    return { status: 204 };
  },
};

const begin = Math.floor(Date.now() / 60000) * 60;
const { kid: _, ...credentialKey } = given.credentialKey;
const instance = new SDJwtVcInstance({ hasher: digest, hashAlg: "sha-256", signAlg: "ES256", saltGenerator: generateSalt, signer: await ES256.getSigner(credentialKey) });
const sdJwtVc = ({ kty, crv, x, y }) => instance.issue(
  { vct: "urn:eudi:pid:1", iat: begin, exp: begin + 86400, cnf: { jwk: { kty, crv, x, y } }, family_name: "Öztürk", address: { locality: "Lindenmoor" }, nationalities: ["DE", "PL"] },
  { _sd: ["family_name", "address"], address: { _sd: ["locality"] }, nationalities: { _sd: [0, 1] } },
  { header: { x5c: given.credentialX5c } });

const context = {
  crypto: { random, digest: mdocDigest },
  cose: { sign1: { sign: ({ key, toBeSigned }) => sign(key.jwk, toBeSigned) } },
  x509: { getIssuerNameField: x509.getIssuerNameField, getCertificateData: x509.getCertificateData },
};
const mdoc = async ({ kty, crv, x, y }) => {
  const document = new owf.Issuer(DOCTYPE, context);
  document.addIssuerNamespace(DOCTYPE, { family_name: "Öztürk", given_name: "Zoë" });
  const issued = await document.sign({
    signingKey: owf.CoseKey.fromJwk({ ...given.documentKey, alg: "ES256" }), algorithm: owf.SignatureAlgorithm.ES256, digestAlgorithm: "SHA-256",
    validityInfo: { signed: new Date(begin * 1000), validFrom: new Date(begin * 1000), validUntil: new Date((begin + 86400) * 1000) },
    deviceKeyInfo: { deviceKey: owf.DeviceKey.fromJwk({ kty, crv, x, y }) }, certificates: [bytes(given.documentX5c[0])],
  });
  return b64u(issued.encode());
};

process.stdout.write(JSON.stringify({ url, offer: offer.credentialOffer }) + "\n");
