import { deflateRawSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contentTypeOf } from './content-type.ts'

const bytes = (latin1: string) => Buffer.from(latin1, 'latin1')

/** A file of a ZIP archive, its header with the lengths left out. */
const entry = (name: string, content = '') =>
  `PK\x03\x04${'\0'.repeat(26)}${name}${deflateRawSync(content).toString('latin1')}`

test.each([
  ['image/png', '\x89PNG\r\n\x1a\n\0\0\0\rIHDR'],
  ['image/jpeg', '\xff\xd8\xff\xe0\0\x10JFIF'],
  ['image/gif', 'GIF89a\x01\0'],
  ['image/webp', 'RIFF\x24\0\0\0WEBPVP8 '],
  ['image/avif', '\0\0\0\x1cftypavif'],
  ['audio/wav', 'RIFF\x24\0\0\0WAVEfmt '],
  ['video/mp4', '\0\0\0\x18ftypmp42'],
  ['video/quicktime', '\0\0\0\x14ftypqt  '],
  ['video/webm', '\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm'],
  ['application/pdf', '%PDF-1.7\n%\xe2\xe3\xcf\xd3'],
  ['application/zip', entry('a.txt', 'hello')],
  ['application/zip', `PK\x05\x06${'\0'.repeat(18)}`],
  ['application/epub+zip', entry('mimetypeapplication/epub+zip')],
  [
    'application/vnd.oasis.opendocument.text',
    entry('mimetypeapplication/vnd.oasis.opendocument.text') + entry('content.xml'),
  ],
  [
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    entry('[Content_Types].xml', '<Types/>') + entry('_rels/.rels') + entry('word/document.xml'),
  ],
  [
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    entry('[Content_Types].xml') + entry('xl/workbook.xml'),
  ],
  ['application/gzip', gzipSync('hello').toString('latin1')],
  ['application/x-tar', `${'\0'.repeat(257)}ustar\x0000`],
  ['application/octet-stream', '\0\x01\x02'],
  ['application/octet-stream', ''],
  ['application/octet-stream', '\xff\xfe\xfd'],
  ['application/octet-stream', 'MZ\x90\0\x03'],
  ['text/plain; charset=utf-8', 'a,b\r\n1,2\r\n'],
  ['text/plain; charset=utf-8', '<script>alert(1)</script>'],
  ['text/plain; charset=utf-8', '\ufeff<svg onload="alert(1)">'.replace('\ufeff', '\xef\xbb\xbf')],
])('%s', (type, content) => {
  expect(contentTypeOf(bytes(content))).toBe(type)
})

test('text is known however its last character is cut', () => {
  const text = Buffer.from('Отчёт 📎')
  for (let length = 1; length <= text.length; length++)
    expect(contentTypeOf(text.subarray(0, length))).toMatch(/^text/)
})

test('no content is of a type that a browser would run', () => {
  const active = /html|svg|xml(?!formats)|javascript|ecmascript|wasm|flash/
  const start = fc.constantFrom(
    '',
    '<html>',
    '<?xml?>',
    '<svg',
    '#!',
    'PK\x03\x04',
    '%PDF-',
    'GIF89a',
    'RIFF',
  )
  const property = fc.property(start, fc.uint8Array({ maxLength: 4096 }), (start, rest) => {
    expect(contentTypeOf(Buffer.concat([bytes(start), rest]))).not.toMatch(active)
  })
  fc.assert(property, { numRuns: 1000 })
})
