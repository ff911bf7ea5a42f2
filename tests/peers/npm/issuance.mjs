// OpenID4VCI before @openid4vc: reads one JSON request from standard input, writes one JSON answer.
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { Openid4vciClient, Openid4vciIssuer, createKeyAttestationJwt, verifyKeyAttestationJwt } from "@openid4vc/openid4vci";
import { Oauth2AuthorizationServer, Oauth2Client, createClientAttestationJwt, verifyClientAttestationJwt } from "@openid4vc/oauth2";

const given = JSON.parse(readFileSync(0, "utf8"));
const b64u = (data) => Buffer.from(data).toString("base64url");
const now = new Date(given.now * 1000);
const publicJwk = ({ d, ...jwk }) => jwk;

const signJwt = async (signer, { header, payload }) => {
  const input = `${b64u(JSON.stringify(header))}.${b64u(JSON.stringify(payload))}`;
  const key = crypto.createPrivateKey({ key: given.privateJwk, format: "jwk" });
  const signature = crypto.sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return { jwt: `${input}.${b64u(signature)}`, signerJwk: publicJwk(given.privateJwk) };
};
const verifyJwt = async (signer, { compact }) => {
  const [head, body, signature] = compact.split(".");
  const key = signer.method === "x5c"
    ? new crypto.X509Certificate(Buffer.from(signer.x5c[0], "base64")).publicKey
    : crypto.createPublicKey({ key: signer.publicJwk, format: "jwk" });
  const verified = crypto.verify("sha256", Buffer.from(`${head}.${body}`), { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
  return verified ? { verified, signerJwk: key.export({ format: "jwk" }) } : { verified };
};
const callbacks = {
  fetch: () => { throw new Error("no network"); },
  hash: (data, algorithm) => crypto.createHash(algorithm.replace("-", "")).update(data).digest(),
  generateRandom: (size) => crypto.randomBytes(size),
  signJwt, verifyJwt,
  encryptJwe: () => { throw new Error("unused"); }, decryptJwe: () => { throw new Error("unused"); },
  clientAuthentication: () => {},
};
const issuer = new Openid4vciIssuer({ callbacks });
const server = new Oauth2AuthorizationServer({ callbacks });
const client = new Openid4vciClient({ callbacks });
const metadataResult = () => ({
  credentialIssuer: given.metadata,
  authorizationServers: [given.authorizationServer],
  originalDraftVersion: "V1",
  knownCredentialConfigurations: given.metadata.credential_configurations_supported,
});

const actions = {
  offer: () => client.resolveCredentialOffer(given.link),
  metadata: () => issuer.createCredentialIssuerMetadata(given.metadata),
  authorizationServer: () => server.createAuthorizationServerMetadata(given.authorizationServer),
  clientAttestation: async () => (await verifyClientAttestationJwt({ clientAttestationJwt: given.jwt, callbacks, now })).payload,
  keyAttestation: async () => (await verifyKeyAttestationJwt({ keyAttestationJwt: given.jwt, use: given.use, expectedNonce: given.nonce, callbacks, now })).payload,
  keyProof: async () => (await issuer.verifyCredentialRequestJwtProof({ jwt: given.jwt, expectedNonce: given.nonce, clientId: given.clientId, now, issuerMetadata: metadataResult() })).payload,
  token: async () => {
    const request = { method: "POST", url: given.url, headers: new Headers(given.headers) };
    const parsed = server.parseAccessTokenRequest({ request, accessTokenRequest: given.form });
    const verified = await server.verifyPreAuthorizedCodeAccessTokenRequest({
      grant: parsed.grant, accessTokenRequest: parsed.accessTokenRequest, request, now,
      expectedPreAuthorizedCode: given.code, expectedTxCode: given.txCode,
      dpop: { ...parsed.dpop, required: true, allowedSigningAlgs: ["ES256"], expectedNonce: given.nonce },
      clientAttestation: { ...parsed.clientAttestation, required: true, ensureConfirmationKeyMatchesDpopKey: false },
      authorizationServerMetadata: given.authorizationServer,
    });
    return { jkt: verified.dpop?.jwkThumbprint, clientId: verified.clientAttestation?.clientAttestation.payload.sub };
  },
  makeOffer: () => issuer.createCredentialOffer({ credentialConfigurationIds: given.ids, grants: given.grants, issuerMetadata: metadataResult(), credentialOfferUri: given.uri }),
  makeClientAttestation: () => createClientAttestationJwt({ issuedAt: now, expiresAt: new Date(now.getTime() + 3600e3), issuer: "https://provider.example", clientId: given.clientId, confirmation: { jwk: given.jwk }, signer: { method: "x5c", alg: "ES256", x5c: given.x5c }, callbacks }),
  makeKeyAttestation: () => createKeyAttestationJwt({ issuedAt: now, expiresAt: new Date(now.getTime() + 3600e3), use: given.use, attestedKeys: given.jwks, nonce: given.nonce, keyStorage: ["iso_18045_high"], signer: { method: "x5c", alg: "ES256", x5c: given.x5c }, callbacks }),
  makeKeyProof: () => client.createCredentialRequestJwtProof({ issuerMetadata: metadataResult(), credentialConfigurationId: given.id, issuedAt: now, nonce: given.nonce, clientId: given.clientId, signer: { method: "jwk", alg: "ES256", publicJwk: publicJwk(given.privateJwk) } }),
};

let answer;
try {
  answer = { result: await actions[given.action]() };
} catch (error) {
  answer = { error: `${error.name}: ${error.message} ${JSON.stringify(error.errorResponse ?? "")} ${error.cause ?? ""}` };
}
process.stdout.write(JSON.stringify(answer));
