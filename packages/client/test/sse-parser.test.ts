import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Message, SseParser } from '../src/sse-parser.ts'

function parse(...pieces: string[]): Message[] {
  const parser = new SseParser()
  return pieces.flatMap((piece) => parser.push(piece))
}

/** The standard once more, for a whole stream at once and as slowly as it is written there. */
function reference(stream: string): Message[] {
  const messages: Message[] = []
  let [data, event, id] = ['', '', '']
  const lines = stream.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n').slice(0, -1)
  for (const line of lines) {
    if (line === '') {
      if (data !== '') messages.push({ data: data.replace(/\n$/, ''), event: event || 'message', id })
      data = ''
      event = ''
      continue
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!
    if (field === 'data') data += `${value}\n`
    else if (field === 'event') event = value
    else if (field === 'id' && !value.includes('\0')) id = value
  }
  return messages
}

/** Cuts a text anywhere. */
function cutAt(text: string, places: number[]): string[] {
  const cuts = places.map((place) => place % (text.length + 1)).sort((a, b) => a - b)
  return [0, ...cuts].map((from, index) => text.slice(from, cuts[index] ?? text.length))
}

const nasty = fc.constantFrom(
  ...['\n', '\r', '\r\n', '\n\n', ':', ' ', 'data', 'data:', 'data: ', 'event: e', 'id', 'id: 7', 'id: \0'],
  ...['retry: 1', 'x', '😀', 'дело', '\u2028', '\ufeff', 'Data: y'],
)
const stream = fc.array(nasty, { maxLength: 40 }).map((parts) => parts.join(''))

test('any stream in any pieces says what the standard says of the whole', () => {
  fc.assert(
    fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), (text, places) => {
      expect(parse(...cutAt(text, places))).toEqual(reference(text))
    }),
    { numRuns: 3000 },
  )
})

test('what is written comes back, whatever the line ends and wherever it is cut, bytes included', () => {
  const line = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replace(/[\r\n]/g, ''))
  const id = line.map((text) => text.replaceAll('\0', ''))
  const message = fc.record({ data: fc.array(line, { minLength: 1, maxLength: 3 }), id, event: line })
  const end = fc.constantFrom('\n', '\r', '\r\n')
  fc.assert(
    fc.property(fc.array(message), end, fc.array(fc.nat()), fc.string(), (messages, lf, places, comment) => {
      const blocks = messages.map(({ data, id, event }) =>
        [
          `: ${comment.replace(/[\r\n]/g, '')}`,
          `id: ${id}`,
          ...data.map((text) => `data: ${text}`),
          `event: ${event}`,
        ]
          .map((text) => text + lf)
          .join('')
          .concat(lf),
      )
      const bytes = new TextEncoder().encode(blocks.join(''))
      const decoder = new TextDecoder()
      const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)]
      const pieces = cuts.map((from, index) => bytes.subarray(from, cuts[index + 1]))
      const parsed = parse(...pieces.map((piece) => decoder.decode(piece, { stream: true })))
      expect(parsed).toEqual(
        messages.map(({ data, id, event }) => ({ data: data.join('\n'), id, event: event || 'message' })),
      )
    }),
    { numRuns: 200 },
  )
})

test.each<[string, string, Partial<Message>[]]>([
  ['two lines of data', 'data: YHOO\ndata: +2\ndata: 10\n\n', [{ data: 'YHOO\n+2\n10' }]],
  [
    'a comment, ids, and a block that is not finished',
    ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event',
    [
      { data: 'first event', id: '1' },
      { data: 'second event', id: '' },
    ],
  ],
  ['empty data, and one line end', 'data\n\ndata\ndata\n\ndata:', [{ data: '' }, { data: '\n' }]],
  [
    'one space goes',
    'data:test\n\ndata: test\n\ndata:  test\n\n',
    [{ data: 'test' }, { data: 'test' }, { data: ' test' }],
  ],
  ['a block without data is no message', 'event: x\nid: 5\n\n', []],
])('the examples of the standard: %s', (_, text, expected) => {
  expect(parse(text)).toMatchObject(expected)
  expect(parse(text)).toHaveLength(expected.length)
})

test('a block without data moves the place, when it is complete', () => {
  const parser = new SseParser()
  parser.push('id: 5\n')
  expect(parser.lastId).toBe('')
  parser.push('\n')
  expect(parser.lastId).toBe('5')
})

test('an event without end is refused before it takes all memory', () => {
  const megabyte = 'x'.repeat(1024 * 1024)
  const endless = [() => megabyte, () => `data: ${megabyte}\n`, () => 'data\n'.repeat(20_000)]
  for (const next of endless) {
    const parser = new SseParser()
    const feed = () => {
      for (let i = 0; i < 40; i++) parser.push(next())
    }
    expect(feed).toThrow(RangeError)
  }
})

test('a long event in small pieces is put together once', () => {
  const text = `data: ${'x'.repeat(8 * 1024 * 1024)}\n\n`
  const parser = new SseParser()
  const began = performance.now()
  const messages: Message[] = []
  for (let at = 0; at < text.length; at += 1024) messages.push(...parser.push(text.slice(at, at + 1024)))
  expect(messages[0]!.data.length).toBe(8 * 1024 * 1024)
  // Copying it anew for each piece would be 32 GiB.
  expect(performance.now() - began).toBeLessThan(5_000)
})
