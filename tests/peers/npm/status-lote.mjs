// Validates, and signs, lists of trusted entities with @owf/eudi-lote.
// One JSON object on standard input, one on standard output.
import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createLoTE, service, signLoTE, trustedEntity, validateLoTE } from '@owf/eudi-lote'

const input = JSON.parse(readFileSync(0, 'utf8'))

async function signed({ key, x5c, certificate, operator, now, next }) {
  const issuance = service()
    .name('PID issuance')
    .type('http://uri.etsi.org/19602/SvcType/PID/Issuance')
    .addCertificate(certificate)
    .build()
  const entity = trustedEntity()
    .name('PID Provider')
    .postalAddress({ StreetAddress: 'Street 1', Locality: 'Town', PostalCode: '1', Country: 'UT' })
    .email('a@pid.example')
    .infoUri('https://pid.example')
    .addService(issuance)
    .build()
  const lote = createLoTE(
    {
      SchemeOperatorName: [{ lang: 'en', value: operator }],
      SchemeTerritory: 'UT',
      LoTEType: 'http://uri.etsi.org/19602/LoTEType/EUPIDProvidersList',
      ListIssueDateTime: now,
      NextUpdate: next, // left out, this peer writes milliseconds, which TS 119 602 6.1.3 does not allow
    },
    [entity]
  )
  const privateKey = createPrivateKey({ key, format: 'jwk' })
  const signer = async (data) =>
    sign('sha256', Buffer.from(data), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  return { jws: (await signLoTE({ lote, keyId: 'k', certificates: x5c, signer })).jws }
}

const actions = { validate: async ({ list }) => validateLoTE(list), sign: signed }
process.stdout.write(JSON.stringify(await actions[input.action](input)))
