// Verify an SD-JWT VC presentation with @sd-jwt/sd-jwt-vc. In: {issuer, presentation, nonce?}; out: {payload, keyBinding}.
import { readFileSync } from "node:fs";
import { ES256, digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";

const { issuer, presentation, nonce } = JSON.parse(readFileSync(0));
const instance = new SDJwtVcInstance({
  hasher: digest,
  hashAlg: "sha-256",
  saltGenerator: generateSalt,
  verifier: await ES256.getVerifier(issuer),
  kbVerifier: async (data, signature, payload) => (await ES256.getVerifier(payload.cnf.jwk))(data, signature),
});
const { payload, kb } = await instance.verify(presentation, nonce ? { keyBindingNonce: nonce } : {});
console.log(JSON.stringify({ payload, keyBinding: kb?.payload ?? null }));
