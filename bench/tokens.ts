/** How long does it take to know an access token, and what does the cache of verified ones cost? */
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { jwtVerify, SignJWT } from 'jose'
import type { UserActor } from '../src/core/actor.ts'
import { createAccessTokens } from '../src/features/auth/access-token.ts'
import { createVerifiedTokens } from '../src/features/auth/verified-tokens.ts'
import { readOptions } from './lib/options.ts'
import { median } from './lib/stats.ts'
import { printTable, verdict, whole } from './lib/table.ts'

const options = readOptions('Tokens: microseconds to know one, alone and out of the cache.')
const KNOWN = options.quick ? 500 : 10_000
const CHECKS = options.quick ? 100 : 20_000
const ROUNDS = options.quick ? 1 : 5
const TARGET_US = 5
const LIFETIME_SECONDS = 1800

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

const secret = randomBytes(32).toString('base64url')
const tokens = createAccessTokens({ keys: [secret], lifetimeSeconds: LIFETIME_SECONDS })
const issued: string[] = []
for (let i = 1; i <= KNOWN; i++) {
  issued.push(await tokens.issue({ userId: i, sessionId: randomUUID(), epoch: 0 }))
}

const until = Date.now() + LIFETIME_SECONDS * 1000
const before = heapBytes()
const cache = createVerifiedTokens({ capacity: KNOWN })
for (const [i, token] of issued.entries()) {
  const actor: UserActor = {
    kind: 'user',
    id: i + 1,
    username: fresh(`user${i}`),
    role: 'user',
    epoch: 0,
    scopes: ['read', 'write'],
    sessionId: randomUUID(),
  }
  // A copy, as the token of a request is.
  cache.set(fresh(token), { actor, until }, cache.mark())
}
const cacheBytes = heapBytes() - before

const joseKey = createSecretKey(secret, 'utf8')
const joseToken = await new SignJWT({ sid: randomUUID(), epoch: 0, jti: randomUUID() })
  .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: '00000000' })
  .setIssuer('taskwire')
  .setAudience('taskwire')
  .setSubject('1')
  .setIssuedAt()
  .setExpirationTime('30m')
  .sign(joseKey)
const joseOptions = { algorithms: ['HS256'], typ: 'at+jwt', issuer: 'taskwire', audience: 'taskwire' }

const jose: number[] = []
const ours: number[] = []
const hit: number[] = []
const miss: number[] = []
const revoke: number[] = []
// The first round is for the compiler.
for (let round = 0; round <= ROUNDS; round++) {
  const joseUs = await checksTake(() => jwtVerify(joseToken, joseKey, joseOptions))
  const oursUs = await checksTake((i) => tokens.verify(issued[i % KNOWN]!))
  const hitUs = lookupsTake('', true)
  const missUs = lookupsTake('x', false)
  const revokeUs = revocationTakes()
  if (round === 0) continue
  jose.push(joseUs)
  ours.push(oursUs)
  hit.push(hitUs)
  miss.push(missUs)
  revoke.push(revokeUs)
}

printTable(
  `Knowing an access token of ${issued[0]!.length} characters, ${whole(CHECKS)} checks, medians of ${ROUNDS}`,
  ['check', 'µs', 'range', 'target', 'reached'],
  [
    row('jose: jwtVerify with one key', jose),
    row('AccessTokens.verify', ours),
    [
      ...row(`VerifiedTokens.get of ${whole(KNOWN)}, a hit`, hit),
      `${TARGET_US}`,
      verdict(median(hit) <= TARGET_US),
    ],
    row('the same, a miss', miss),
    row('VerifiedTokens.revoke, all of a user', revoke),
  ].map((cells) => [...cells, '', ''].slice(0, 5)),
)
printTable(
  `Heap of ${whole(KNOWN)} verified tokens`,
  ['all', 'a token'],
  [[`${(cacheBytes / 2 ** 20).toFixed(1)} MiB`, `${whole(cacheBytes / KNOWN)} B`]],
)

async function checksTake(check: (i: number) => Promise<unknown>): Promise<number> {
  const started = performance.now()
  for (let i = 0; i < CHECKS; i++) if (!(await check(i))) throw new Error('a valid token was refused')
  return ((performance.now() - started) * 1000) / CHECKS
}

/** From the header of a request to its actor. */
function lookupsTake(suffix: string, isHit: boolean): number {
  const headers = Array.from({ length: CHECKS }, () =>
    fresh(`Bearer ${issued[Math.floor(Math.random() * KNOWN)]}${suffix}`),
  )
  const started = performance.now()
  for (const header of headers) {
    if ((cache.get(header.slice('Bearer '.length)) !== undefined) !== isHit)
      throw new Error('not as expected')
  }
  return ((performance.now() - started) * 1000) / CHECKS
}

/** Of users that have no token here, so that the cache stays full; the search is what costs. */
function revocationTakes(): number {
  const calls = 200
  const started = performance.now()
  for (let i = 1; i <= calls; i++) cache.revoke({ userId: KNOWN + i })
  return ((performance.now() - started) * 1000) / calls
}

/** The same text in a string of its own, whose hash nobody has computed yet. */
function fresh(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

function heapBytes(): number {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

function row(name: string, values: number[]): string[] {
  return [
    name,
    median(values).toFixed(2),
    `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`,
  ]
}
