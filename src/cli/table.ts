/** One line of a terminal: characters that could steer it are shown as `�`. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, '\ufffd')
}

/** Rows as printable lines with aligned columns. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map(printable))
  const width = (column: number) => Math.max(...cells.map((row) => row[column]?.length ?? 0))
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join('  ')
      .trimEnd(),
  )
}
