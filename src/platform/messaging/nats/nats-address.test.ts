import { expect, test } from 'vitest'
import { natsAddress } from './nats-address.ts'

test.each([
  ['nats://localhost', { servers: 'localhost:4222' }],
  ['nats://10.0.0.1:4333', { servers: '10.0.0.1:4333' }],
  ['nats://[::1]:4333', { servers: '[::1]:4333' }],
  ['nats://anna:p%40ss%3Aw@host', { servers: 'host:4222', user: 'anna', pass: 'p@ss:w' }],
  ['nats://to%2Fken@host', { servers: 'host:4222', token: 'to/ken' }],
  ['tls://host', { servers: 'host:4222', tls: {} }],
])('%s', (url, address) => {
  expect(natsAddress(url)).toEqual(address)
})

test.each(['nats://', 'nats://100%@host', 'nats://a:%zz@host'])('%s is rejected', (url) => {
  expect(() => natsAddress(url)).toThrow(/^NATS_URL /)
})
