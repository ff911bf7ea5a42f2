// @owf/mdoc as issuer, holder and verifier.
import * as peer from "@owf/mdoc";
import { agree, base64, bytes, digest, mac, random, serve, sign, verify, x509 } from "./mdoc-crypto.mjs";

const context = {
  crypto: {
    random, digest,
    calculateEphemeralMacKey: ({ privateKey, publicKey, sessionTranscriptBytes }) =>
      peer.CoseKey.create({ keyType: peer.KeyType.Oct, k: new Uint8Array(agree(privateKey, publicKey, sessionTranscriptBytes)) }),
  },
  cose: {
    sign1: {
      sign: ({ key, toBeSigned }) => sign(key.jwk, toBeSigned),
      verify: ({ key, sign1 }) => verify(key.jwk, sign1.toBeSigned, sign1.signature),
    },
    mac0: {
      sign: ({ key, toBeAuthenticated }) => mac(key.privateKey, toBeAuthenticated),
      verify: ({ key, mac0 }) => Buffer.compare(mac(key.privateKey, mac0.toBeAuthenticated), mac0.tag) === 0,
    },
  },
  x509: {
    getIssuerNameField: x509.getIssuerNameField,
    getPublicKey: ({ certificate }) => peer.CoseKey.fromJwk(x509.publicJwk(certificate)),
    verifyCertificateChain: x509.requireChain,
    getCertificateData: x509.getCertificateData,
  },
};
const es256 = (jwk) => peer.CoseKey.fromJwk({ ...jwk, alg: "ES256" });
const plain = (items) => Object.fromEntries(items.map((item) => [item.elementIdentifier, item.elementValue]));

await serve({
  issue: async ({ issuerKey, deviceKey, certificate, doctype, namespaces, now }) => {
    const issuer = new peer.Issuer(doctype, context);
    for (const [namespace, elements] of Object.entries(namespaces)) issuer.addIssuerNamespace(namespace, elements);
    const day = 24 * 3600 * 1000;
    const issued = await issuer.sign({
      signingKey: es256(issuerKey), algorithm: peer.SignatureAlgorithm.ES256, digestAlgorithm: "SHA-512",
      validityInfo: { signed: new Date(now), validFrom: new Date(now), validUntil: new Date(Date.parse(now) + day) },
      deviceKeyInfo: { deviceKey: peer.DeviceKey.fromJwk(deviceKey) }, certificates: [bytes(certificate)],
    });
    return base64(issued.encode());
  },
  receive: async ({ issued, trusted, now }) => {
    const failed = [];
    const verificationCallback = (check) => check.status === "FAILED" && failed.push(check.check);
    await peer.Holder.verifyIssuerSigned(
      { issuerSigned: bytes(issued), trustedCertificates: [bytes(trusted)], now: new Date(now), verificationCallback }, context);
    return failed;
  },
  present: async ({ issued, deviceKey, doctype, elements, transcript }) => {
    const itemsRequest = peer.ItemsRequest.create({ docType: doctype, namespaces: elements });
    const deviceRequest = peer.DeviceRequest.create({ docRequests: [peer.DocRequest.create({ itemsRequest })] });
    const response = await peer.Holder.createDeviceResponseForDeviceRequest(
      { deviceRequest, sessionTranscript: bytes(transcript), issuerSigned: [peer.IssuerSigned.decode(bytes(issued))],
        signature: { signingKey: es256(deviceKey) } }, context);
    return base64(response.encode());
  },
  verify: async ({ response, trusted, transcript, now, readerKey }) => {
    const failed = [];
    const decoded = peer.DeviceResponse.decode(bytes(response));
    await peer.Verifier.verifyDeviceResponse(
      { deviceResponse: decoded, sessionTranscript: peer.SessionTranscript.decode(bytes(transcript)),
        trustedCertificates: [bytes(trusted)], now: new Date(now), ephemeralReaderKey: readerKey && peer.CoseKey.fromJwk(readerKey),
        onCheck: (check) => check.status === "FAILED" && failed.push(check.check) }, context);
    const namespaces = decoded.documents[0].issuerSigned.issuerNamespaces.issuerNamespaces;
    return { failed, namespaces: Object.fromEntries([...namespaces].map(([name, items]) => [name, plain(items)])) };
  },
  // Its verifier compares the algorithm's name with its number and so refuses every MAC; this is the check behind that.
  // It also leaves an empty external_aad out of the MAC_structure, against RFC 9052 6.3, unless it is set.
  verifyMac: async ({ response, transcript, readerKey }) => {
    const [document] = peer.DeviceResponse.decode(bytes(response)).documents;
    const sessionTranscript = peer.SessionTranscript.decode(bytes(transcript));
    const { deviceMac } = document.deviceSigned.deviceAuth;
    deviceMac.detachedPayload = peer.DeviceAuthentication.create(
      { sessionTranscript, docType: document.docType, deviceNamespaces: document.deviceSigned.deviceNamespaces }).encode({ asDataItem: true });
    deviceMac.externalAad = new Uint8Array();
    const publicKey = document.issuerSigned.issuerAuth.mobileSecurityObject.deviceKeyInfo.deviceKey;
    return deviceMac.verify({ publicKey, privateKey: peer.CoseKey.fromJwk(readerKey), sessionTranscript }, context);
  },
  transcript: async ({ clientId, nonce, responseUri, thumbprint, origin }) => {
    const jwkThumbprint = thumbprint ? bytes(thumbprint) : undefined;
    const made = origin
      ? await peer.SessionTranscript.forOid4VpDcApi({ origin, nonce, jwkThumbprint }, context)
      : await peer.SessionTranscript.forOid4Vp({ clientId, nonce, responseUri, jwkThumbprint }, context);
    return base64(made.encode());
  },
});
