// Issue and present an SD-JWT VC with @sd-jwt/sd-jwt-vc. In: {issuer, holder, claims, frame, choice, keyBinding}, keys as
// private JWKs; out: {credential, presentation}.
import { readFileSync } from "node:fs";
import { ES256, digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";

const { issuer, holder, claims, frame, choice, keyBinding } = JSON.parse(readFileSync(0));
const instance = new SDJwtVcInstance({
  hasher: digest,
  hashAlg: "sha-256",
  signAlg: "ES256",
  kbSignAlg: "ES256",
  saltGenerator: generateSalt,
  signer: await ES256.getSigner(issuer),
  kbSigner: await ES256.getSigner(holder),
});
const credential = await instance.issue(claims, frame);
const presentation = await instance.present(credential, choice, { kb: { payload: keyBinding } });
console.log(JSON.stringify({ credential, presentation }));
