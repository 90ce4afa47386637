import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { outlineOf } from '../support/pages/markdown.ts'
import { pages, root } from '../support/pages/pages.ts'

test.each(pages.filter((page) => !page.endsWith('.ru.md')))(
  '%s says in Russian what it says in English',
  (page) => {
    const russian = page.replace(/\.md$/, '.ru.md')
    const [one, other] = [page, russian].map((name) => outlineOf(readFileSync(join(root, name), 'utf8')))
    expect(other).toEqual(one)
  },
)

test.each(pages)('every link of %s leads somewhere', (page) => {
  const text = readFileSync(join(root, page), 'utf8')
  const targets = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
  for (const [, path, anchor] of targets) {
    const target = path ? join(root, dirname(page), path) : join(root, page)
    expect(existsSync(target), `${page}: ${path}`).toBe(true)
    if (anchor) expect(anchorsOf(readFileSync(target, 'utf8')), `${page}: ${path}`).toContain(anchor)
  }
})

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  )
}
