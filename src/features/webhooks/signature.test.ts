import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { newWebhookSecret, signedHeaders } from './signature.ts'

const now = Math.floor(Date.now() / 1000)

test('the reference implementation accepts every signed message and nothing else', () => {
  const id = fc.oneof(
    fc.bigInt({ min: 1n, max: 1n << 53n }).map(String),
    fc.uuid().map((one) => `test_${one}`),
  )
  const body = fc.object().map((data) => JSON.stringify({ data }))
  fc.assert(
    fc.property(id, body, fc.string({ unit: 'grapheme', minLength: 1 }), (id, body, more) => {
      const secret = newWebhookSecret()
      const headers = signedHeaders(id, now, body, [secret])
      const webhook = new Webhook(secret)
      expect(webhook.verify(body, headers)).toEqual(JSON.parse(body))
      expect(webhook.sign(id, new Date(now * 1000), body)).toBe(
        signedHeaders(id, now, body, [secret])['webhook-signature'],
      )
      for (const [forged, under] of [
        [body + more, headers],
        [body, { ...headers, 'webhook-id': `${id}0` }],
        [body, { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 1) }],
      ] as const) {
        expect(() => webhook.verify(forged, under)).toThrow('No matching signature found')
      }
      expect(() => new Webhook(newWebhookSecret()).verify(body, headers)).toThrow()
    }),
  )
})

test('with two secrets there are two signatures, and each secret verifies the message', () => {
  const secrets = [newWebhookSecret(), newWebhookSecret()]
  const headers = signedHeaders('1', now, '{}', secrets)
  expect(headers['webhook-signature']).toMatch(/^v1,\S{44} v1,\S{44}$/)
  for (const secret of secrets) expect(new Webhook(secret).verify('{}', headers)).toEqual({})
})

test('the reference implementation rejects an old message', () => {
  const secret = newWebhookSecret()
  const headers = signedHeaders('1', now - 301, '{}', [secret])
  expect(() => new Webhook(secret).verify('{}', headers)).toThrow('Message timestamp too old')
})

test('a secret is 24 to 64 random bytes in base64, as the specification requires', () => {
  const secrets = new Set(Array.from({ length: 100 }, newWebhookSecret))
  expect(secrets.size).toBe(100)
  for (const secret of secrets) {
    const [, base64] = /^whsec_([A-Za-z0-9+/]+=*)$/.exec(secret)!
    expect(Buffer.from(base64!, 'base64')).toHaveLength(32)
  }
})
