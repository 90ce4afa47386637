import { say } from './options.ts'

/** Prints rows as a Markdown table, padded so that it reads well on a terminal too. */
export function printTable(title: string, head: string[], rows: string[][]): void {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column]!.length)))
  const line = (row: string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  say(`\n#### ${title}\n`)
  say(line(head))
  say(`|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`)
  for (const row of rows) say(line(row))
}

/** A measured value beside what it should reach. */
export function verdict(reached: boolean): string {
  return reached ? 'yes' : '**no**'
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}
