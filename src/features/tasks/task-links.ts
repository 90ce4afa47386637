import type { PageStart, TaskPage } from './task-query.ts'

/** The Link header (RFC 8288) of a page: relations to others of the same list, relative to the server. */
export function pageLinks(url: string, { next, previous }: TaskPage, limit: number): string {
  // Only the first question mark parts the two.
  const [path] = url.split('?', 1)
  const parameters = new URLSearchParams(url.slice(path!.length))
  const first: PageStart = parameters.has('cursor') ? { cursor: '' } : { skip: 0 }
  for (const name of ['skip', 'cursor', 'limit']) parameters.delete(name)
  const list = `${path}?${parameters}${parameters.size > 0 ? '&' : ''}`
  const link = (start: PageStart, rel: string) => {
    // Cursors are made of what needs no escapes in a URL.
    const place = 'skip' in start ? `skip=${start.skip}` : `cursor=${start.cursor}`
    return `<${list}${place}&limit=${limit}>; rel="${rel}"`
  }
  return [
    link(first, 'first'),
    ...(previous ? [link(previous, 'prev')] : []),
    ...(next ? [link(next, 'next')] : []),
  ].join(', ')
}
