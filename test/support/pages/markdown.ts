/** A fenced block of code of a page. */
export interface Block {
  /** '' where the fence names none. */
  language: string
  code: string
  /** The line of its fence, from 1. */
  line: number
}

/** What a page is made of, but for its words: equal in two languages when they say the same. */
export interface Outline {
  /** The level of each heading, in order. */
  headings: number[]
  /** The language of each block of code. */
  blocks: string[]
  /** Rows and columns of each table. */
  tables: string[]
  /** Where links go, without the part that says the language. */
  links: string[]
  /** Inline code, each once. */
  code: string[]
}

export function blocksOf(page: string): Block[] {
  const blocks: Block[] = []
  for (const match of page.matchAll(/^```(\S*)\n(.*?)^```$/gms)) {
    const line = page.slice(0, match.index).split('\n').length
    blocks.push({ language: match[1]!, code: match[2]!, line })
  }
  return blocks
}

export function outlineOf(page: string): Outline {
  const prose = page.replace(/^```.*?^```$/gms, '')
  const lines = prose.split('\n')
  const tables: string[] = []
  let rows = 0
  for (const [i, line] of lines.entries()) {
    if (!line.startsWith('|')) continue
    rows++
    if (lines[i + 1]?.startsWith('|')) continue
    tables.push(`${rows} x ${line.replace(/\\\||`[^`]*`/g, '').split('|').length - 2}`)
    rows = 0
  }
  // One that wraps is the same as one that does not, and what stands for something has a name in each language.
  const code = [...prose.matchAll(/`([^`]+)`/g)].map(([, text]) =>
    text!.replace(/\s+/g, ' ').replace(/<[^>]*>/g, '<>'),
  )
  const links = [...prose.matchAll(/\]\(([^)#]*)(?:#[^)]*)?\)|<(https?:[^>]+)>/g)]
  return {
    headings: [...prose.matchAll(/^(#+) /gm)].map(([, marks]) => marks!.length),
    blocks: blocksOf(page).map(({ language }) => language),
    tables,
    links: links.map(([, to, bare]) => (to ?? bare!).replace('.ru.md', '.md')).toSorted(),
    code: [...new Set(code)].toSorted(),
  }
}
