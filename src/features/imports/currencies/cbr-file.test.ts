import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cbrFixture, cbrXml, fullFile } from '../../../../test/support/cbr.ts'
import { parseCbrFile } from './cbr-file.ts'

test('parses a file of the bank: windows-1251, decimal commas, nominals; VunitRate is ignored', async () => {
  expect(await parseCbrFile(cbrFixture)).toEqual({
    date: '2025-12-13',
    rates: [
      { code: 'AMD', name: 'Армянских драмов', nominal: 100, value: '20.8719' },
      { code: 'VND', name: 'Донгов', nominal: 10_000, value: '31.6745' },
      { code: 'USD', name: 'Доллар США', nominal: 1, value: '79.7296' },
      { code: 'XDR', name: 'СДР (специальные права заимствования)', nominal: 1, value: '108.9895' },
      { code: 'GBP', name: 'Фунт стерлингов & ёлочка', nominal: 1, value: '106.7180' },
    ],
  })
})

test.each(['utf-8', 'UTF-8', ''])('a file in %j with one currency is accepted', async (encoding) => {
  const quotes = [{ code: 'USD', value: '80', name: 'Доллар — США' }]
  const bytes = cbrXml('13.12.2025', quotes, encoding || 'utf-8')
  const text = encoding ? bytes.toString() : bytes.toString().replace(/<\?xml.*?\?>/, '')
  expect((await parseCbrFile(Buffer.from(`\ufeff${text}`))).rates).toEqual([
    { code: 'USD', name: 'Доллар — США', nominal: 1, value: '80' },
  ])
})

test('rates of tomorrow and of the days after holidays are accepted', async () => {
  const now = new Date('2025-12-30T20:00:00Z')
  expect((await parseCbrFile(fullFile('10.01.2026'), now)).date).toBe('2026-01-10')
  await expect(parseCbrFile(fullFile('10.01.2099'), now)).rejects.toThrow('too far ahead')
})

const whole = cbrXml('13.12.2025', [{ code: 'USD', value: '80,5' }], 'utf-8').toString()
const swapped = (from: string | RegExp, to: string) => whole.replace(from, to)
const valute = /<Valute.*<\/Valute>/.exec(whole)![0]

const cbrWithWrongEncoding = Buffer.from(
  cbrXml('13.12.2025', [{ code: 'USD', value: '1' }])
    .toString('latin1')
    .replace('windows-1251', 'utf-8'),
  'latin1',
)

const bad: [string, string | Buffer, RegExp][] = [
  ['nothing', '', /^the response is empty$/],
  ['JSON', '{"rates": 1}', /cannot be read as XML/],
  ['HTML', '<!doctype html><p>Busy</p>', /has a document type definition/],
  ['what is cut off', whole.slice(0, -30), /cannot be read as XML/],
  ['what is cut off within a tag', whole.slice(0, 150), /cannot be read as XML/],
  ['text behind the end', `${whole}x`, /cannot be read as XML/],
  ['a second root', `${whole}<b/>`, /no root element ValCurs/],
  ['a wrong root', '<Rates Date="13.12.2025"></Rates>', /no root element ValCurs/],
  ['an empty root', '<ValCurs/>', /no root element ValCurs/],
  ['no currencies', swapped(valute, ''), /has no Valute/],
  ['a text in place of currencies', swapped(valute, 'x'), /has no Valute/],
  ['a DTD', `<!DOCTYPE ValCurs SYSTEM "http://127.0.0.1/x.dtd">${whole}`, /document type definition/],
  [
    'an entity bomb',
    swapped('<ValCurs', '<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><ValCurs'),
    /document type definition/,
  ],
  [
    'a thousand nested elements',
    swapped(valute, '<a>'.repeat(1000) + '</a>'.repeat(1000)),
    /Maximum nested tags/,
  ],
  ['a forbidden name', swapped(valute, '<__proto__>1</__proto__>'), /cannot be read as XML/],
  ['no date', swapped(' Date="13.12.2025"', ''), /no valid Date/],
  ['the 30th of February', swapped('13.12.2025', '30.02.2025'), /no valid Date/],
  ['an American date', swapped('13.12.2025', '12/13/2025'), /no valid Date/],
  ['an unknown encoding', swapped('utf-8', 'klingon-8'), /unknown encoding, "klingon-8"/],
  ['another encoding than it says', cbrWithWrongEncoding, /is not valid utf-8, the encoding it declares/],
  ['the same code twice', swapped(valute, valute + valute), /^USD appears twice/],
  ['no code', swapped('<CharCode>USD</CharCode>', ''), /^Valute 1 has no valid CharCode$/],
  ['a code of two letters', swapped('>USD<', '>US<'), /CharCode/],
  ['a code in small letters', swapped('>USD<', '>usd<'), /CharCode/],
  ['the rouble', swapped('>USD<', '>RUB<'), /CharCode/],
  ['a text in place of a currency', swapped(valute, `${valute}<Valute>x</Valute>`), /^Valute 2 has no valid/],
  ['a code within a code', swapped('>USD<', '><a>USD</a><'), /CharCode/],
  ...['', '0', '-1', '1.5', '10001', '1e2', '1 0', 'x'].map((nominal): [string, string, RegExp] => [
    `Nominal "${nominal}"`,
    swapped('<Nominal>1<', `<Nominal>${nominal}<`),
    /^USD has no valid Nominal$/,
  ]),
  ['no Nominal', swapped('<Nominal>1</Nominal>', ''), /^USD has no valid Nominal$/],
  ['two Nominals', swapped('<Nominal>', '<Nominal>1</Nominal><Nominal>'), /^USD has no valid Nominal$/],
  ...['', '0', '0,0000', '-80,5', '+80', '80,5,1', '1 000,5', '1e5', 'NaN', '0x10', '1234567890123'].map(
    (value): [string, string, RegExp] => [
      `Value "${value}"`,
      swapped('80,5', value),
      /^USD has no valid Value$/,
    ],
  ),
  ['no Value', swapped('<Value>80,5</Value>', ''), /^USD has no valid Value$/],
  ['no Name', swapped(/<Name>.*<\/Name>/, ''), /^USD has no valid Name$/],
  ['an empty Name', swapped(/<Name>.*<\/Name>/, '<Name> </Name>'), /^USD has no valid Name$/],
  ['a long Name', swapped(/<Name>/, `<Name>${'x'.repeat(101)}`), /^USD has no valid Name$/],
  ['an unknown entity', swapped(/<Name>/, '<Name>&bomb;'), /^USD has no valid Name$/],
  ['a NUL', swapped(/<Name>/, '<Name>\0'), /Name|XML/],
]

test.each(bad)(
  '%s fails the whole file, with a reason that fits in a line',
  async (_what, content, reason) => {
    const error = await parseCbrFile(Buffer.from(content)).catch((thrown: Error) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect((error as Error).message).toMatch(reason)
    expect((error as Error).message).toMatch(/^[^\n]{1,200}$/)
  },
)

test('a truncated file is rejected', async () => {
  for (let length = 0; length < whole.length; length++) {
    await expect(parseCbrFile(Buffer.from(whole.slice(0, length)))).rejects.toThrow()
  }
})

test('a file with any part cut out is parsed completely or rejected, within the time limit', async () => {
  const file = fullFile('13.12.2025')
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length), fc.nat(200), async (from, length) => {
      const damaged = Buffer.concat([file.subarray(0, from), file.subarray(from + length)])
      const outcome = await parseCbrFile(damaged).catch((error: Error) => error)
      if (outcome instanceof Error) return
      for (const { code, nominal, value } of outcome.rates) {
        expect(code).toMatch(/^[A-Z]{3}$/)
        expect(Number(value) / nominal).toBeGreaterThan(0)
      }
    }),
    { numRuns: 300 },
  )
})
