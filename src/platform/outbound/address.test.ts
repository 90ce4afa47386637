import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { AddressRefused, guardedLookup, type Reach, reachOf } from './address.ts'

const table: Record<Reach, string[]> = {
  public: ['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700:4700::1111', '::ffff:8.8.8.8'],
  private: [
    '127.0.0.1',
    '127.255.255.254',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '::1',
    'fc00::1',
    'fd12:3456::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
  ],
  forbidden: [
    '0.0.0.0',
    '0.1.2.3',
    '169.254.169.254', // metadata of most clouds
    '100.100.100.200', // metadata of Alibaba, carrier-grade NAT
    '192.0.0.192', // metadata of Oracle
    '192.0.2.1',
    '198.18.0.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1', // site-local, deprecated
    'ff02::1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::ffff:0:169.254.169.254', // IPv4-translated
    '::a9fe:a9fe', // IPv4-compatible, deprecated
    '64:ff9b::a9fe:a9fe', // NAT64
    '64:ff9b:1::a9fe:a9fe', // NAT64, local use
    '2002:a9fe:a9fe::', // 6to4
    '2001:0:a9fe:a9fe::1', // Teredo
    '2001:db8::1',
    '3fff::1',
    '5f00::1',
    '100::1',
    '4000::1', // never allocated: global unicast is 2000::/3
    'not an address',
    '',
    '[::1]',
    'localhost',
  ],
}

test.each(Object.entries(table).flatMap(([reach, all]) => all.map((address) => [address, reach])))(
  '%j is %s',
  (address, reach) => {
    expect(reachOf(address!)).toBe(reach)
  },
)

const everything = () => true
const publicOnly = (reach: Reach) => reach === 'public'

test('the guarded lookup answers as dns.lookup does, with one address or all', async () => {
  const lookup = guardedLookup(everything)
  const one = await new Promise((resolve, reject) => {
    lookup('127.0.0.1', {}, (error, address, family) => (error ? reject(error) : resolve([address, family])))
  })
  expect(one).toEqual(['127.0.0.1', 4])
  expect(await promisify(lookup)('::1', { all: true })).toEqual([{ address: '::1', family: 6 }])
})

test('the guarded lookup refuses a name if any of its addresses may not be called', async () => {
  for (const host of ['localhost', '127.0.0.1', '169.254.169.254']) {
    const failure = promisify(guardedLookup(publicOnly))(host, {})
    await expect(failure).rejects.toThrow(AddressRefused)
  }
  await expect(promisify(guardedLookup(publicOnly))('localhost', { all: true })).rejects.toThrow(
    /^localhost leads to (127\.0\.0\.1|::1), which may not be called$/,
  )
  const answer = await promisify(guardedLookup((reach) => reach === 'private'))('localhost', { all: true })
  expect(answer).not.toEqual([])
})

test('the guarded lookup passes on that a name does not exist', async () => {
  await expect(promisify(guardedLookup(everything))('nobody.invalid', {})).rejects.toThrow(
    /ENOTFOUND|EAI_AGAIN/,
  )
})
