import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { freePort } from '../../../test/support/free-port.ts'
import { hangingPort } from '../../../test/support/hanging-port.ts'
import { hasNats, startNats } from '../../../test/support/nats.ts'
import { rabbitUrl } from '../../../test/support/rabbitmq.ts'
import { redisUrl } from '../../../test/support/redis.ts'
import { startS3 } from '../../../test/support/s3.ts'
import { loadConfig } from '../../platform/config/config.ts'
import { checkServices } from './services.ts'

/** Returns the findings about the configured services, by check. */
async function examine(settings: Record<string, string>) {
  const findings = await Promise.all(checkServices(loadConfig({ values: settings, fileNames: [] })))
  expect(JSON.stringify(findings)).not.toContain('geheim')
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]))
}

/** Each service at a port of its own, with credentials that must not be shown. */
async function everywhere(port: () => Promise<number>): Promise<Record<string, string>> {
  return {
    REDIS_URL: `redis://me:geheim@127.0.0.1:${await port()}`,
    NATS_URL: `nats://me:geheim@127.0.0.1:${await port()}`,
    RABBITMQ_URL: `amqp://me:geheim@127.0.0.1:${await port()}`,
    S3_ENDPOINT: `http://127.0.0.1:${await port()}`,
    S3_BUCKET: 'files',
    S3_ACCESS_KEY_ID: 'me',
    S3_SECRET_ACCESS_KEY: 'geheim',
  }
}

const all = ['redis', 'nats', 'rabbitmq', 's3']

test('none is looked at that is not configured', async () => {
  expect(await examine({})).toEqual({})
})

test('services that refuse connections', async () => {
  const found = await examine(await everywhere(freePort))
  expect(Object.keys(found)).toEqual(all)
  for (const { status, message, advice } of Object.values(found)) {
    expect(status).toBe('failure')
    expect(message).toMatch(/ECONNREFUSED|refused/i)
    expect(advice).toMatch(/^see that .* runs there, or correct /)
  }
})

test('services that take connections and say nothing are given up soon', async () => {
  const started = performance.now()
  const found = await examine(await everywhere(hangingPort))
  expect(performance.now() - started).toBeLessThan(15_000)
  expect(Object.keys(found)).toEqual(all)
  for (const { status, message, advice } of Object.values(found)) {
    expect(status).toBe('failure')
    expect(message).toMatch(/no answer|timeout|ETIMEDOUT/i)
    expect(advice).toMatch(/^see whether /)
  }
})

test('Redis: one that answers, and one that does not know us', async ({ skip }) => {
  if (!redisUrl) return skip('needs Redis')
  expect((await examine({ REDIS_URL: redisUrl })).redis).toMatchObject({ status: 'ok' })
  const stranger = new URL(redisUrl)
  stranger.username = `stranger${randomBytes(4).toString('hex')}`
  stranger.password = 'geheim'
  expect((await examine({ REDIS_URL: stranger.href })).redis).toMatchObject({
    status: 'failure',
    message: expect.stringMatching(/WRONGPASS/),
    advice: 'correct the user and the password in REDIS_URL',
  })
})

test('NATS: one that answers, one that does not know us, and one without JetStream', async ({ skip }) => {
  if (!hasNats) return skip('needs nats-server')
  await using nats = await startNats(['--jetstream', '--user', 'me', '--pass', 'right'], {
    user: 'me',
    pass: 'right',
  })
  const as = (credentials: string) => nats.url.replace('nats://', `nats://${credentials}@`)
  expect((await examine({ NATS_URL: as('me:right') })).nats).toMatchObject({ status: 'ok' })
  expect((await examine({ NATS_URL: as('me:geheim') })).nats).toMatchObject({
    status: 'failure',
    advice: 'correct the user and the password in NATS_URL',
  })
  await using plain = await startNats([])
  const { port } = new URL(plain.url)
  expect((await examine({ NATS_HOST: '127.0.0.1', NATS_PORT: port })).nats).toMatchObject({
    status: 'warning',
    message: expect.stringMatching(/no JetStream/),
  })
})

test('RabbitMQ: one that answers, and one that does not know us', async ({ skip }) => {
  if (!rabbitUrl) return skip('needs RabbitMQ')
  expect((await examine({ RABBITMQ_URL: rabbitUrl })).rabbitmq).toMatchObject({ status: 'ok' })
  const stranger = new URL(rabbitUrl)
  stranger.username = 'guest'
  stranger.password = 'geheim'
  expect((await examine({ RABBITMQ_URL: stranger.href })).rabbitmq).toMatchObject({
    status: 'failure',
    advice: 'correct the user and the password in RABBITMQ_URL',
  })
})

test('S3: a bucket, one that is not there, and a key that is refused', async () => {
  await using s3 = await startS3()
  expect((await examine(s3.settings)).s3).toMatchObject({ status: 'ok' })
  expect((await examine({ ...s3.settings, S3_BUCKET: 'nothing-here' })).s3).toMatchObject({
    status: 'failure',
    message: expect.stringMatching(/status 404: there is no such bucket/),
  })
  expect((await examine({ ...s3.settings, S3_ACCESS_KEY_ID: 'STRANGER' })).s3).toMatchObject({
    status: 'failure',
    message: expect.stringMatching(/status 403: the key is refused/),
    advice: 'correct the settings of S3',
  })
})
