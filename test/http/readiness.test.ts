import { expect, test } from 'vitest'
import { startTestApp } from '../support/app.ts'
import { freePort } from '../support/free-port.ts'

test.each(['open', 'required'])(
  'why a service is down is told only to whom everything is told, AUTH_MODE=%s',
  async (mode) => {
    const NATS_URL = `nats://127.0.0.1:${await freePort()}`
    await using app = await startTestApp({ AUTH_MODE: mode, NATS_URL })
    const { status, body } = await app.fetch('/health/ready')
    expect([status, body.checks.database]).toEqual([200, { status: 'up' }])
    const why = mode === 'required' ? {} : { error: expect.stringMatching(/./) }
    expect(body.checks.nats).toEqual({ status: 'down', ...why })
  },
)
