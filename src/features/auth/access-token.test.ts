import { createHash, createHmac, generateKeyPairSync, hkdfSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createAccessTokens } from './access-token.ts'

const keys = ['an old key that is long enough to sign', 'the key before that, still long enough']
const tokens = createAccessTokens({ keys, lifetimeSeconds: 1800 })
const claims = { userId: 7, sessionId: '0b6c1d0e-52c0-4d6e-9a2b-3a4f5b6c7d8e', epoch: 2 }
const START = Date.UTC(2026, 0, 2, 3, 4, 5)
const now = START / 1000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: START }))
afterEach(() => void vi.useRealTimers())

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

function keyOf(secret: string, info = 'taskwire access token') {
  const bytes = Buffer.from(hkdfSync('sha256', secret, '', info, 32))
  return { bytes, kid: createHash('sha256').update(bytes).digest('hex').slice(0, 8) }
}

const { bytes, kid } = keyOf(keys[0]!)
const header = { alg: 'HS256', typ: 'at+jwt', kid }
const payload = {
  iss: 'taskwire',
  aud: 'taskwire',
  sub: '7',
  sid: claims.sessionId,
  epoch: 2,
  iat: now,
  exp: now + 60,
  jti: 'one',
}

/** Builds a token by hand, signed with the right key unless another one is given. */
function forge(
  change: { header?: unknown; payload?: unknown; hash?: string; key?: Buffer | string } = {},
): string {
  const head = typeof change.header === 'object' ? { ...header, ...change.header } : (change.header ?? header)
  const body =
    typeof change.payload === 'object' ? { ...payload, ...change.payload } : (change.payload ?? payload)
  const text = `${encode(head)}.${encode(body)}`
  const mac = createHmac(change.hash ?? 'sha256', change.key ?? bytes).update(text)
  return `${text}.${mac.digest('base64url')}`
}

const decode = (token: string) =>
  token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))

test('what was issued is verified, and says when it ends', async () => {
  const token = await tokens.issue(claims)
  expect(await tokens.verify(token)).toEqual({ ...claims, expiresAt: now + 1800 })
  expect(tokens.lifetimeSeconds).toBe(1800)
  expect(decode(token)).toEqual([
    header,
    { ...payload, exp: now + 1800, jti: expect.stringMatching(/^[\da-f-]{36}$/) },
  ])
  expect(await tokens.issue(claims)).not.toBe(token)
})

test('any claims come back as they went in', async () => {
  const id = fc.integer({ min: 1, max: 2_147_483_647 })
  const epoch = fc.integer({ min: 0, max: 2_147_483_647 })
  await fc.assert(
    fc.asyncProperty(id, fc.uuid(), epoch, async (userId, sessionId, epoch) => {
      const given = { userId, sessionId, epoch }
      expect(await tokens.verify(await tokens.issue(given))).toEqual({ ...given, expiresAt: now + 1800 })
    }),
  )
})

test('it is valid to its last second and not a second longer', async () => {
  const token = await tokens.issue(claims)
  vi.setSystemTime(START + 1_799_999)
  expect(await tokens.verify(token)).toBeDefined()
  vi.setSystemTime(START + 1_800_000)
  expect(await tokens.verify(token)).toBeUndefined()
})

test('the first key signs, all are taken, and one that is gone is not', async () => {
  const old = createAccessTokens({ keys: [keys[1]!], lifetimeSeconds: 60 })
  const token = await old.issue(claims)
  expect(await tokens.verify(token)).toMatchObject(claims)
  expect(await old.verify(await tokens.issue(claims))).toBeUndefined()
  expect(await old.verify(forge({ header: { kid: keyOf(keys[1]!).kid } }))).toBeUndefined()
  expect(() => createAccessTokens({ keys: [], lifetimeSeconds: 60 })).toThrow('tokens need a key')
})

test('a token made by hand is accepted, so that those below fail for their own reason', async () => {
  expect(await tokens.verify(forge())).toEqual({ ...claims, expiresAt: now + 60 })
  expect(await tokens.verify(forge({ payload: { nbf: now } }))).toBeDefined()
  expect(await tokens.verify(forge({ payload: { iat: now + 5 } }))).toBeDefined()
  expect(await tokens.verify(forge({ payload: { filler: 'x'.repeat(2500) } }))).toBeDefined()
})

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const rsaText = `${encode({ ...header, alg: 'RS256' })}.${encode(payload)}`
const noneText = `${encode({ ...header, alg: 'none' })}.${encode(payload)}`
const otherPurpose = keyOf(keys[0]!, 'taskwire setup token')

const forgeries: Record<string, string> = {
  'alg none, no signature': `${noneText}.`,
  'alg none, two parts': noneText,
  'alg none, signed': forge({ header: { alg: 'none' } }),
  'alg None': forge({ header: { alg: 'None' } }),
  'alg hs256': forge({ header: { alg: 'hs256' } }),
  'alg missing': forge({ header: { alg: undefined } }),
  HS384: forge({ header: { alg: 'HS384' }, hash: 'sha384' }),
  HS512: forge({ header: { alg: 'HS512' }, hash: 'sha512' }),
  'RS256 with a key pair': `${rsaText}.${sign('sha256', Buffer.from(rsaText), privateKey).toString('base64url')}`,
  'RS256 whose MAC is made with a public key': forge({
    header: { alg: 'RS256' },
    key: publicKey.export({ type: 'spki', format: 'pem' }) as string,
  }),
  'HS256 made with a public key, which the header brings': forge({
    header: { jwk: publicKey.export({ format: 'jwk' }) },
    key: publicKey.export({ type: 'spki', format: 'pem' }) as string,
  }),
  'another key': forge({ key: Buffer.alloc(32, 1) }),
  'the secret itself as the key': forge({ key: keys[0]! }),
  'the key of another purpose': forge({ key: otherPurpose.bytes }),
  'the key of another purpose, by its name': forge({
    header: { kid: otherPurpose.kid },
    key: otherPurpose.bytes,
  }),
  'no kid': forge({ header: { kid: undefined } }),
  'a kid that is not text': forge({ header: { kid: [kid] } }),
  'the kid of Object': forge({ header: { kid: 'constructor' } }),
  'another typ': forge({ header: { typ: 'JWT' } }),
  'the typ of a setup token': forge({ header: { typ: 'setup+jwt' } }),
  'no typ': forge({ header: { typ: undefined } }),
  'a critical extension': forge({ header: { crit: ['exp'], exp: 1 } }),
  'an unencoded payload': forge({ header: { crit: ['b64'], b64: false } }),
  'another issuer': forge({ payload: { iss: 'somebody' } }),
  'no issuer': forge({ payload: { iss: undefined } }),
  'another audience': forge({ payload: { aud: 'elsewhere' } }),
  'several audiences': forge({ payload: { aud: ['taskwire', 'elsewhere'] } }),
  'no audience': forge({ payload: { aud: undefined } }),
  expired: forge({ payload: { iat: now - 120, exp: now } }),
  'no exp': forge({ payload: { exp: undefined } }),
  'exp as text': forge({ payload: { exp: String(now + 60) } }),
  'exp null': forge({ payload: { exp: null } }),
  'exp beyond all numbers': forge({ payload: JSON.stringify(payload).replace(String(now + 60), '1e999') }),
  'nbf in the future': forge({ payload: { nbf: now + 1 } }),
  'issued in the future': forge({ payload: { iat: now + 6 } }),
  'no iat': forge({ payload: { iat: undefined } }),
  'iat as text': forge({ payload: { iat: String(now) } }),
  'iat with a fraction': forge({ payload: { iat: now - 0.5 } }),
  'no jti': forge({ payload: { jti: undefined } }),
  'jti as a number': forge({ payload: { jti: 1 } }),
  'no sub': forge({ payload: { sub: undefined } }),
  'sub as a number': forge({ payload: { sub: 7 } }),
  'sub 0': forge({ payload: { sub: '0' } }),
  'sub with a sign': forge({ payload: { sub: '-7' } }),
  'sub with a zero before it': forge({ payload: { sub: '07' } }),
  'sub with a fraction': forge({ payload: { sub: '7.0' } }),
  'sub with a line break': forge({ payload: { sub: '7\n' } }),
  'sub beyond an id': forge({ payload: { sub: '2147483648' } }),
  'no sid': forge({ payload: { sid: undefined } }),
  'sid as a number': forge({ payload: { sid: 5 } }),
  'an empty sid': forge({ payload: { sid: '' } }),
  'no epoch': forge({ payload: { epoch: undefined } }),
  'epoch as text': forge({ payload: { epoch: '2' } }),
  'epoch below 0': forge({ payload: { epoch: -1 } }),
  'epoch with a fraction': forge({ payload: { epoch: 0.5 } }),
  'a payload that is a list': forge({ payload: '[]' }),
  'a payload that is null': forge({ payload: 'null' }),
  'a payload that is not JSON': forge({ payload: '{' }),
  'a header that is not JSON': forge({ header: '{' }),
  'a header that is null': forge({ header: 'null' }),
  'a huge token': forge({ payload: { filler: 'x'.repeat(3100) } }),
  'white space before it': ` ${forge()}`,
  'a line break after it': `${forge()}\n`,
  'padding after it': `${forge()}=`,
  'a fourth part': `${forge()}.${'A'.repeat(43)}`,
  'an encrypted token': `${encode({ alg: 'dir', enc: 'A256GCM' })}..AAAA.AAAA.AAAA`,
  'an API token': 'tw_'.padEnd(46, 'A'),
  nothing: '',
}

test.for(Object.entries(forgeries))('not valid: %s', async ([, token]) => {
  expect(await tokens.verify(token)).toBeUndefined()
})

test('a token over 4 KB is refused without being read', async () => {
  const verify = vi.spyOn(crypto.subtle, 'verify')
  expect(await tokens.verify(forge())).toBeDefined()
  expect(verify).toHaveBeenCalledTimes(1)
  const huge = forge({ payload: { filler: 'x'.repeat(3100) } })
  expect(huge.length).toBeGreaterThan(4096)
  expect(await tokens.verify(huge)).toBeUndefined()
  expect(verify).toHaveBeenCalledTimes(1)
  verify.mockRestore()
})

test('any change of any character makes it invalid, unused bits and white space included', async () => {
  const token = await tokens.issue(claims)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (const last of alphabet.replace(token.at(-1)!, '')) {
    expect(await tokens.verify(token.slice(0, -1) + last)).toBeUndefined()
  }
  const place = fc.nat(token.length - 1)
  const character = fc.oneof(fc.constantFrom(...alphabet, ...'.=+/ \n\t\0'), fc.string({ maxLength: 2 }))
  await fc.assert(
    fc.asyncProperty(place, character, fc.boolean(), async (at, text, instead) => {
      const changed = token.slice(0, at) + text + token.slice(instead ? at + 1 : at)
      fc.pre(changed !== token)
      expect(await tokens.verify(changed)).toBeUndefined()
    }),
    { numRuns: 1000 },
  )
})

test('whatever text, header or payload comes, the answer is a claim of ours or none', async () => {
  const json = fc.oneof(fc.json({ maxDepth: 2 }), fc.string())
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.tuple(json, json).map(([head, body]) => forge({ header: head, payload: body })),
    fc
      .dictionary(fc.constantFrom(...Object.keys(header), 'crit', 'b64', '__proto__'), fc.jsonValue())
      .map((change) => forge({ header: change })),
    fc
      .dictionary(fc.constantFrom(...Object.keys(payload), 'nbf'), fc.jsonValue())
      .map((change) => forge({ payload: change })),
  )
  await fc.assert(
    fc.asyncProperty(text, async (token) => {
      const found = await tokens.verify(token)
      if (found === undefined) return
      expect(found.userId).toSatisfy((id: number) => Number.isInteger(id) && id > 0)
      expect(found.expiresAt).toBeGreaterThan(now)
    }),
    { numRuns: 1000 },
  )
})
