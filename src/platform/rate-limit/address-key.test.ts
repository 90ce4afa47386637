import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressKey } from './index.ts'

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::ffff:c000:207', '192.0.2.7'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8:0:7::1', '2001:db8:0:7::/64'],
  ['2001:0DB8::7:ffff:ffff:ffff:ffff', '2001:db8:0:7::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['no:address', 'no:address'],
  ['', ''],
])('%s is %s', (ip, key) => {
  expect(addressKey(ip)).toBe(key)
})

test('the addresses of one /64 are one caller, those of two are two', () => {
  const group = fc.integer({ min: 1, max: 0xffff }).map((value) => value.toString(16))
  const half = fc.tuple(group, group, group, group).map((groups) => groups.join(':'))
  fc.assert(
    fc.property(half, half, half, half, (network, other, host, otherHost) => {
      const key = addressKey(`${network}:${host}`)
      expect(addressKey(`${network}:${otherHost}`)).toBe(key)
      expect(addressKey(`${other}:${host}`) === key).toBe(other === network)
    }),
  )
})
