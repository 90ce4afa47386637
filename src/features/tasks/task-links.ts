import type { PageStart, TaskPage } from './task-query.ts'

/** The Link header (RFC 8288) of a page: relations to others of the same list, relative to the server. */
export function pageLinks(url: string, { next, previous }: TaskPage, limit: number): string {
  const [path, query = ''] = url.split('?')
  const link = (start: PageStart, rel: string) => {
    const parameters = new URLSearchParams(query)
    for (const name of ['skip', 'cursor']) parameters.delete(name)
    for (const [name, value] of Object.entries({ ...start, limit })) parameters.set(name, String(value))
    return `<${path}?${parameters}>; rel="${rel}"`
  }
  const byCursor = new URLSearchParams(query).has('cursor')
  return [
    link(byCursor ? { cursor: '' } : { skip: 0 }, 'first'),
    ...(previous ? [link(previous, 'prev')] : []),
    ...(next ? [link(next, 'next')] : []),
  ].join(', ')
}
