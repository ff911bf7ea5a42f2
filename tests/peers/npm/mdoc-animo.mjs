// @animo-id/mdoc as issuer, holder and verifier.
import * as peer from "@animo-id/mdoc";
import { agree, base64, bytes, digest, mac, random, serve, sign, verify, x509 } from "./mdoc-crypto.mjs";

const context = {
  crypto: {
    random, digest,
    calculateEphemeralMacKeyJwk: ({ privateKey, publicKey, sessionTranscriptBytes }) =>
      ({ kty: "oct", k: agree(privateKey, publicKey, sessionTranscriptBytes).toString("base64url"), alg: "HS256" }),
  },
  cose: {
    sign1: {
      sign: ({ jwk, sign1 }) => sign(jwk, sign1.getRawSigningData().data),
      verify: ({ jwk, sign1, options }) => {
        const { data, signature } = sign1.getRawVerificationData(options);
        return verify(jwk, data, signature);
      },
    },
    mac0: {
      sign: ({ jwk, mac0 }) => mac(Buffer.from(jwk.k, "base64url"), mac0.getRawSigningData().data),
      verify: ({ jwk, mac0, options }) =>
        Buffer.compare(mac(Buffer.from(jwk.k, "base64url"), mac0.getRawVerificationData(options).data), mac0.tag) === 0,
    },
  },
  x509: {
    getIssuerNameField: x509.getIssuerNameField,
    getPublicKey: ({ certificate }) => x509.publicJwk(certificate),
    validateCertificateChain: x509.requireChain,
    getCertificateData: x509.getCertificateData,
  },
};
const transcriptBytes = (transcript) => peer.cborEncode(peer.DataItem.fromData(peer.cborDecode(bytes(transcript))));

await serve({
  issue: async ({ issuerKey, deviceKey, certificate, doctype, namespaces, now }) => {
    const document = new peer.Document(doctype, context);
    for (const [namespace, elements] of Object.entries(namespaces)) document.addIssuerNameSpace(namespace, elements);
    const day = 24 * 3600 * 1000;
    document.useDigestAlgorithm("SHA-256").addDeviceKeyInfo({ deviceKey }).addValidityInfo(
      { signed: new Date(now), validFrom: new Date(now), validUntil: new Date(Date.parse(now) + day) });
    const issued = await document.sign({ issuerPrivateKey: issuerKey, issuerCertificate: bytes(certificate), alg: "ES256" }, context);
    return base64(peer.cborEncode(issued.prepare().get("issuerSigned")));
  },
  present: async ({ issued, deviceKey, doctype, elements, transcript, readerKey }) => {
    const held = new peer.MDoc([peer.parseIssuerSigned(bytes(issued), doctype)]);
    const builder = peer.DeviceResponse.from(held)
      .usingDeviceRequest(peer.DeviceRequest.from("1.0", [{ itemsRequestData: { docType: doctype, nameSpaces: elements } }]))
      .usingSessionTranscriptBytes(transcriptBytes(transcript));
    const signed = readerKey ? builder.authenticateWithMAC(deviceKey, readerKey, "HS256") : builder.authenticateWithSignature(deviceKey, "ES256");
    return base64((await signed.sign(context)).encode());
  },
  verify: async ({ response, trusted, transcript, now, readerKey }) => {
    const failed = [];
    const mdoc = await new peer.Verifier().verifyDeviceResponse(
      { encodedDeviceResponse: bytes(response), encodedSessionTranscript: transcriptBytes(transcript), trustedCertificates: [bytes(trusted)],
        now: new Date(now), ephemeralReaderKey: readerKey, onCheck: (check) => check.status === "FAILED" && failed.push(check.check) }, context);
    const signed = mdoc.documents[0];
    const plain = (value) => Object.fromEntries(value instanceof Map ? value : Object.entries(value));
    return { failed, namespaces: Object.fromEntries(signed.issuerSignedNameSpaces.map((name) => [name, plain(signed.getIssuerNameSpace(name))])) };
  },
});
