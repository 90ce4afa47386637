import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cell, csvRecord, parseCsv } from './csv.ts'

async function parsed(...chunks: string[]): Promise<Cell[][]> {
  return (await Array.fromAsync(parseCsv(chunks))).map(({ cells }) => cells)
}

const trigger = fc.constantFrom('=', '+', '-', '@', '\t', '\r', '\n', "'", '"', ',', ' ', 'a')
const text = fc.oneof(
  fc.string({ unit: trigger, maxLength: 6 }),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
)
const table = fc.array(fc.array(fc.option(text), { minLength: 1, maxLength: 5 }), { maxLength: 5 })

test('every table comes back as it was, however the file is cut', async () => {
  const property = fc.asyncProperty(
    table,
    fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
    async (rows, cuts) => {
      const file = rows.map(csvRecord).join('')
      const chunks: string[] = []
      for (let at = 0; at < file.length; ) {
        const length = cuts.next().value
        chunks.push(file.slice(at, at + length))
        at += length
      }
      expect(await parsed(...chunks)).toEqual(rows)
      // Editors change the line breaks between records.
      const isPlain = rows.flat().every((cell) => !/[\r\n]/.test(cell ?? ''))
      if (isPlain) expect(await parsed(file.replaceAll('\r\n', '\n'))).toEqual(rows)
    },
  )
  await fc.assert(property, { numRuns: 1000 })
})

test('no cell begins with what a spreadsheet takes for a formula', () => {
  const property = fc.property(table, (rows) => {
    // Reads a record like a parser that knows only quotes and commas.
    for (const row of rows) {
      const cells = csvRecord(row).match(/"(?:[^"]|"")*"|[^,]+/g) ?? []
      for (const cell of cells)
        expect(cell.replace(/^"|"$/g, '').replace(/^\r\n$/, '')).not.toMatch(/^[=+\-@\t\r\n]/)
    }
  })
  fc.assert(property, { numRuns: 1000 })
})

test.each<[Cell[], string]>([
  [['a', 'b'], 'a,b'],
  [[null, '', 'x'], ',"",x'],
  [['say "hi"', 'a,b', 'two\nlines'], '"say ""hi""","a,b","two\nlines"'],
  [['=1+1', '+7', '-7', '@x', '\tx'], "'=1+1,'+7,'-7,'@x,'\tx"],
  [["'=1", "'x", "''+", "'"], "''=1,'x,'''+,'"],
  [['=HYPERLINK("http://x","y")'], '"\'=HYPERLINK(""http://x"",""y"")"'],
  [['\r\n'], '"\'\r\n"'],
])('%j is written %s', async (cells, line) => {
  expect(csvRecord(cells)).toBe(`${line}\r\n`)
  expect(await parsed(line)).toEqual([cells])
})

test('a record knows the line in which it begins', async () => {
  const file = 'a,b\r\n"x\r\ny",1\n\n"\n\n",2\r3'
  const records = await Array.fromAsync(parseCsv([file]))
  expect(records.map(({ line, cells }) => [line, cells])).toEqual([
    [1, ['a', 'b']],
    [2, ['x\r\ny', '1']],
    [4, [null]],
    [5, ['\n\n', '2']],
    [8, ['3']],
  ])
})

test.each<[string, number, RegExp]>([
  ['a\nb"c', 2, /quote/],
  ['a\n"b"c', 2, /quote/],
  ['a\n"b" ,c', 2, /quote/],
  ['a\nb\n"c\nd', 3, /not closed/],
  [`a\n"${'x\n'.repeat(1_000_000)}`, 2, /does not end/],
])('%.20j is refused, with its line', async (file, line, message) => {
  await expect(parsed(file)).rejects.toMatchObject({
    name: 'CsvError',
    line,
    message: expect.stringMatching(message),
  })
})
