// The cryptography that the mdoc peers want from outside, on node:crypto alone: ES256, HMAC, X.509.
import crypto, { X509Certificate } from "node:crypto";

export const bytes = (base64) => new Uint8Array(Buffer.from(base64, "base64"));
export const base64 = (array) => Buffer.from(array).toString("base64");
export const random = (length) => new Uint8Array(crypto.randomBytes(length));
export const digest = ({ digestAlgorithm, bytes }) =>
  new Uint8Array(crypto.createHash(digestAlgorithm.replace("-", "").toLowerCase()).update(bytes).digest());

const options = (key) => ({ key, format: "jwk", dsaEncoding: "ieee-p1363" });
const member = ({ kty, crv, x, y, d }) => (d ? { kty, crv, x, y, d } : { kty, crv, x, y });
export const sign = (jwk, data) =>
  new Uint8Array(crypto.sign("sha256", data, { ...options(member(jwk)), key: crypto.createPrivateKey({ key: member(jwk), format: "jwk" }) }));
export const verify = (jwk, data, signature) =>
  crypto.verify("sha256", data, { key: crypto.createPublicKey({ key: member({ ...jwk, d: undefined }), format: "jwk" }), dsaEncoding: "ieee-p1363" }, signature);

// EMacKey: raw private scalar, raw public point, SessionTranscriptBytes.
export const agree = (privateKey, publicKey, sessionTranscriptBytes) => {
  const ecdh = crypto.createECDH("prime256v1");
  ecdh.setPrivateKey(Buffer.from(privateKey));
  const salt = crypto.createHash("sha256").update(sessionTranscriptBytes).digest();
  return Buffer.from(crypto.hkdfSync("sha256", ecdh.computeSecret(Buffer.from(publicKey)), salt, "EMacKey", 32));
};
export const mac = (key, data) => new Uint8Array(crypto.createHmac("sha256", key).update(data).digest());

const names = (text) => Object.fromEntries(text.split("\n").map((line) => line.split("=")));
export const x509 = {
  getIssuerNameField: ({ certificate, field }) => [names(new X509Certificate(certificate).issuer)[field]].filter(Boolean),
  publicJwk: (certificate) => new X509Certificate(certificate).publicKey.export({ format: "jwk" }),
  requireChain: ({ trustedCertificates, x5chain }) => {
    const leaf = new X509Certificate(x5chain[0]);
    if (!trustedCertificates.some((anchor) => leaf.verify(new X509Certificate(anchor).publicKey))) throw new Error("no chain");
  },
  getCertificateData: ({ certificate }) => {
    const parsed = new X509Certificate(certificate);
    return {
      issuerName: parsed.issuer, subjectName: parsed.subject, serialNumber: parsed.serialNumber, thumbprint: parsed.fingerprint,
      notBefore: new Date(parsed.validFrom), notAfter: new Date(parsed.validTo), pem: parsed.toString(),
    };
  },
};

// One JSON request on standard input, one JSON answer on standard output; a failure is an answer too.
export const serve = async (commands) => {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const request = JSON.parse(Buffer.concat(chunks).toString());
  try {
    console.log(JSON.stringify({ result: await commands[request.command](request) }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message ?? error) }));
  }
};
