/** A cell of a table: text or null. The empty string is not null. */
export type Cell = string | null

export interface CsvRecord {
  /** Line of the file in which the record begins, from 1. */
  line: number
  cells: Cell[]
}

/** An error in a CSV file, with its line. */
export class CsvError extends Error {
  override readonly name = 'CsvError'
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

/** Limit of one record, in characters, so that a missing quote does not make one record of the rest of a large file. */
const MAX_RECORD_CHARACTERS = 1_000_000

/**
 * Returns a record of a CSV file (RFC 4180) with its line break. A spreadsheet reads a cell that begins with
 * `= + - @`, tab or a line break as a formula, which can send the rest of the sheet elsewhere. Such a cell gets an
 * apostrophe in front. A text that already begins like that gets one more, so that `parseCsv` restores every text.
 */
export function csvRecord(cells: readonly Cell[]): string {
  return `${cells.map(cellText).join(',')}\r\n`
}

function cellText(cell: Cell): string {
  if (cell === null) return ''
  const text = /^'*[=+\-@\t\r\n]/.test(cell) ? `'${cell}` : cell
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function cellOf(text: string, isQuoted: boolean): Cell {
  if (text === '' && !isQuoted) return null
  return /^'+[=+\-@\t\r\n]/.test(text) ? text.slice(1) : text
}

/**
 * Reads records (RFC 4180; lines may end with LF alone) and removes the apostrophes that `csvRecord` added. An
 * empty line is a record with one null cell. Throws CsvError.
 */
export async function* parseCsv(chunks: AsyncIterable<string> | Iterable<string>): AsyncGenerator<CsvRecord> {
  let state: 'begin' | 'plain' | 'quoted' | 'closed' = 'begin'
  let line = 1
  let record: CsvRecord = { line, cells: [] }
  let text = ''
  let size = 0
  let wasReturn = false

  const endCell = () => {
    record.cells.push(cellOf(text, state === 'closed'))
    text = ''
    state = 'begin'
  }

  for await (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      const char = chunk[i]!
      const isSecondOfBreak = wasReturn && char === '\n'
      wasReturn = false
      if (++size > MAX_RECORD_CHARACTERS) {
        throw new CsvError(record.line, 'the record that begins here does not end; is a quote missing?')
      }
      if (state === 'quoted') {
        if (char === '"') state = 'closed'
        else text += char
        if (char === '\n') line++
      } else if (char === '"' && state === 'closed') {
        text += char
        state = 'quoted'
      } else if (char === '"' && state === 'begin') {
        state = 'quoted'
      } else if (char === ',') {
        endCell()
      } else if (char === '\n' || char === '\r') {
        if (isSecondOfBreak) continue
        wasReturn = char === '\r'
        endCell()
        yield record
        record = { line: ++line, cells: [] }
        size = 0
      } else if (char === '"' || state === 'closed') {
        throw new CsvError(line, 'a quote is neither at the ends of a cell nor doubled')
      } else {
        text += char
        state = 'plain'
      }
    }
  }
  if (state === 'quoted')
    throw new CsvError(record.line, 'a quote of the record that begins here is not closed')
  if (state !== 'begin' || record.cells.length > 0) {
    endCell()
    yield record
  }
}
