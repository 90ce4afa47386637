import fc from 'fast-check'
import { expect, test } from 'vitest'
import { frameReader } from '../../test/support/event-harness.ts'
import { textFrame } from './frame.ts'

function read(...chunks: Buffer[]): string[] {
  const texts: string[] = []
  const sink = frameReader((text) => texts.push(text))
  for (const chunk of chunks) sink(chunk)
  return texts
}

test.each([0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000])('a text of %i bytes is one frame', (length) => {
  const text = 'x'.repeat(length)
  const frame = textFrame(text)
  expect(read(frame)).toEqual([text])
  expect(frame.length).toBe(length + (length < 126 ? 2 : length < 65_536 ? 4 : 10))
})

test('the length counts bytes, not characters', () => {
  // 63 two-byte letters are 126 bytes; 32,768 are 65,536.
  expect(read(textFrame('ж'.repeat(63)))).toEqual(['ж'.repeat(63)])
  expect(read(textFrame('ж'.repeat(32_768)))).toEqual(['ж'.repeat(32_768)])
})

test('any texts, joined and cut anywhere, are read back by the parser of ws', () => {
  const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 200 }), { maxLength: 10 })
  fc.assert(
    fc.property(texts, fc.nat(), (sent, cut) => {
      const bytes = Buffer.concat(sent.map(textFrame))
      const at = bytes.length === 0 ? 0 : cut % bytes.length
      expect(read(bytes.subarray(0, at), bytes.subarray(at))).toEqual(sent)
    }),
  )
})
