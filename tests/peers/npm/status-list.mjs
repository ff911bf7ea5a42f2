// Reads and writes Token Status Lists with @sd-jwt/jwt-status-list (JWT) and @owf/token-status-list (CWT).
// One JSON object on standard input, one on standard output. Signatures are made and verified by the caller.
import { readFileSync } from 'node:fs'
import * as sdjwt from '@sd-jwt/jwt-status-list'
import * as owf from '@owf/token-status-list'

const input = JSON.parse(readFileSync(0, 'utf8'))
const actions = {
  readJwt: ({ token, indices }) => {
    const list = sdjwt.getListFromStatusListJWT(token)
    return { bits: list.getBitsPerStatus(), statuses: indices.map((index) => list.getStatus(index)) }
  },
  writeJwt: ({ statuses, bits, payload }) =>
    sdjwt.createHeaderAndPayload(new sdjwt.StatusList(statuses, bits), payload, { alg: 'ES256', typ: 'statuslist+jwt' }),
  reference: ({ token }) => sdjwt.getStatusListFromJWT(token),
  readCwt: ({ token, indices }) => {
    const cwt = owf.StatusListCwt.fromToken(new Uint8Array(Buffer.from(token, 'hex')))
    const { subject, statusList } = cwt.payload
    return {
      subject,
      issuedAt: cwt.payload.issuedAt.getTime() / 1000,
      timeToLive: cwt.payload.timeToLive,
      statuses: indices.map((index) => statusList.getStatus(index)),
    }
  },
  writeCwt: ({ statuses, bits, ...claims }) => {
    // What is left out, this peer writes as undefined, which is neither a date nor text.
    const dates = { issuedAt: new Date(claims.iat * 1000), expirationTime: new Date(claims.exp * 1000) }
    const options = { subject: claims.sub, timeToLive: claims.ttl, ...dates }
    const list = owf.StatusListCbor.create({ statusList: new owf.StatusList(statuses, bits, claims.all) })
    const payload = owf.StatusListCwtPayload.create({ statusList: list, ...options })
    return { payload: Buffer.from(payload.encode()).toString('hex') }
  },
}
process.stdout.write(JSON.stringify(actions[input.action](input)))
