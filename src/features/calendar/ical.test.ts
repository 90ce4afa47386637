import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contentLine, icalComponent, icalText, icalUtc } from './ical.ts'

const wild = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.string({
    unit: fc.constantFrom('\\', ';', ',', ':', '\n', '\r', 'n', 'я', '👩‍👩‍👧', ' ', '\t'),
    maxLength: 200,
  }),
)

/** Parses like a calendar program: unfolds the lines, then removes backslashes. */
const unfolded = (lines: string) => lines.replaceAll('\r\n ', '')
const unescaped = (value: string) =>
  value.replace(/\\([\\;,nN])/g, (_, char: string) => (/n/i.test(char) ? '\n' : char))

test('every text comes back, in lines of at most 75 octets that are UTF-8 each', () => {
  const property = fc.property(wild, (value) => {
    const line = contentLine(['SUMMARY', icalText(value)])
    expect(line.endsWith('\r\n')).toBe(true)
    const lines = line.slice(0, -2).split('\r\n')
    for (const [i, one] of lines.entries()) {
      expect(Buffer.byteLength(one)).toBeLessThanOrEqual(75)
      expect(one.isWellFormed()).toBe(true)
      if (i > 0) expect(one[0]).toBe(' ')
    }
    const back = unescaped(unfolded(line).slice('SUMMARY:'.length, -2))
    expect(back).toBe(value.replace(/\r\n?/g, '\n').replace(/(?![\t\n])\p{Cc}/gu, ''))
  })
  fc.assert(property, { numRuns: 1000 })
})

test('a long line is filled up to 75 octets, a character is not cut', () => {
  expect(contentLine(['X', 'a'.repeat(73)])).toBe(`X:${'a'.repeat(73)}\r\n`)
  expect(contentLine(['X', 'a'.repeat(74)])).toBe(`X:${'a'.repeat(73)}\r\n a\r\n`)
  expect(contentLine(['X', `${'a'.repeat(72)}яя`])).toBe(`X:${'a'.repeat(72)}\r\n яя\r\n`)
  expect(contentLine(['X', `${'a'.repeat(70)}👍`])).toBe(`X:${'a'.repeat(70)}\r\n 👍\r\n`)
})

test('a component has its properties in their order', () => {
  expect(icalComponent('VTODO', [['UID', '1'], undefined, ['SUMMARY', icalText('a;b,c\\d\r\ne\0')]])).toBe(
    'BEGIN:VTODO\r\nUID:1\r\nSUMMARY:a\\;b\\,c\\\\d\\ne\r\nEND:VTODO\r\n',
  )
})

test('a time is in UTC, to the second', () => {
  expect(icalUtc('2025-12-15T12:00:31.168401Z')).toBe('20251215T120031Z')
})
