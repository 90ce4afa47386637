import { create, parse } from 'content-disposition'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fileName } from './attachment.ts'

test.each([
  ['report.pdf', 'report.pdf'],
  ['  report.pdf\u00a0', 'report.pdf'],
  ['../../etc/passwd', 'passwd'],
  ['/etc/passwd', 'passwd'],
  ['C:\\Users\\anna\\отчёт.docx', 'отчёт.docx'],
  ['..\\..\\boot.ini', 'boot.ini'],
  ['a%2f..%2fb', 'a%2f..%2fb'],
  ['%22quoted%22.txt', '"quoted".txt'],
  ['.htaccess', '.htaccess'],
  ['-rf', '-rf'],
  ['CON', 'CON'],
  ["'; DROP TABLE tasks; --", "'; DROP TABLE tasks; --"],
  ['📎'.repeat(63), '📎'.repeat(63)],
  ['x'.repeat(255), 'x'.repeat(255)],
])('%s is named %s', (given, name) => {
  expect(fileName(given)).toBe(name)
})

test.each([
  undefined,
  '',
  ' ',
  '.',
  '..',
  '/',
  'a/',
  'a/..',
  'a\\.',
  'a\0b',
  'a\nb',
  'a\x7f',
  'a\x9bb',
  'a\u2028b',
  'photo\u202egpj.exe',
  '\ud800',
  'x'.repeat(256),
  '📎'.repeat(64),
])('%j is no name', (given) => {
  expect(() => fileName(given)).toThrow(expect.objectContaining({ code: 'validation' }))
})

test('whatever is taken for a name is one segment, and a header can carry it', () => {
  const wild = fc.string({ unit: 'binary', maxLength: 80 })
  const pathLike = fc.string({
    unit: fc.constantFrom('.', '/', '\\', 'a', ' ', '"', '%', ';', "'", '2', 'ё'),
  })
  const property = fc.property(fc.oneof(wild, pathLike), (given) => {
    let name: string
    try {
      name = fileName(given)
    } catch (error) {
      expect(error).toMatchObject({ code: 'validation' })
      return
    }
    expect(name).not.toMatch(/^\.{0,2}$|[/\\\0\r\n]/)
    const header = create(name)
    expect(header).toMatch(/^attachment; filename=[\x20-\x7e]*$/)
    expect(parse(header).parameters.filename).toBe(name)
    expect(() => new Headers({ 'content-disposition': header })).not.toThrow()
  })
  fc.assert(property, { numRuns: 500 })
})
