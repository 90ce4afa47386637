import type { CbrFile, CbrRate } from '../../src/features/imports/currencies/cbr-file.ts'

/** The bank's word, or a currency as it has to be here. */
interface Word {
  rate: number
  nominal: number
  name: string | null
}

export interface Row extends Word {
  source: 'cbr' | 'manual'
}

const same = (a: object, b: object) => JSON.stringify(a) === JSON.stringify(b)
const wordOf = ({ value, nominal, name }: CbrRate): Word => ({ rate: Number(value) / nominal, nominal, name })

/**
 * The rule of the import in plain words: what the bank has not said before is taken, so a rate that was
 * set by hand holds until there is a new official one; a name that was changed by hand stays; what was
 * deleted does not come back by itself.
 */
export class RateModel {
  readonly rows = new Map<string, Row>()
  readonly #known = new Map<string, { date: string; word: Word }>()

  create(code: string, rate: number): boolean {
    if (this.rows.has(code)) return false
    this.rows.set(code, { rate, nominal: 1, name: null, source: 'manual' })
    return true
  }

  edit(code: string, { rate, name }: { rate?: number; name?: string | null }): void {
    const row = this.rows.get(code)
    if (!row) return
    if (name !== undefined) row.name = name
    if (rate !== undefined && rate !== row.rate) Object.assign(row, { rate, source: 'manual' })
  }

  delete(code: string): void {
    this.rows.delete(code)
  }

  /** Takes a file; says which codes are new here and which may have changed. */
  run(file: CbrFile): { created: string[]; news: string[] } {
    const created: string[] = []
    const news: string[] = []
    for (const rate of file.rates) {
      const word = wordOf(rate)
      const known = this.#known.get(rate.code)
      if (known && (file.date < known.date || (file.date === known.date && same(word, known.word)))) continue
      this.#known.set(rate.code, { date: file.date, word })
      news.push(rate.code)
      const row = this.rows.get(rate.code)
      if (row) {
        // Where the bank has said nothing before, the rate was set by hand, and later than all files here.
        const isRateNew =
          known &&
          (file.date > known.date || word.rate !== known.word.rate || word.nominal !== known.word.nominal)
        if (row.name === null || row.name === known?.word.name) row.name = word.name
        if (isRateNew) Object.assign(row, { rate: word.rate, nominal: word.nominal, source: 'cbr' })
      } else if (!known) {
        this.rows.set(rate.code, { ...word, source: 'cbr' })
        created.push(rate.code)
      }
    }
    return { created, news }
  }
}
