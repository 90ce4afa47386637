/** What a query asks for: a metric, the labels it is selected by, and those it is grouped by. */
export interface Selector {
  metric: string
  matchers: { label: string; operator: string; value: string }[]
}

const TOKEN =
  /\s+|"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[a-zA-Z_:][a-zA-Z0-9_:]*|\d+(?:\.\d+)?(?:e[+-]?\d+)?|=~|!~|!=|==|>=|<=|[-+*/%^=<>(){},]/gy
const GROUPINGS = new Set(['by', 'without', 'on', 'ignoring'])
const OPERATORS = new Set(['and', 'or', 'unless', 'bool'])

/**
 * The selectors of a PromQL expression and the labels it groups by; throws where it meets what it does not know.
 * https://prometheus.io/docs/prometheus/latest/querying/basics/
 */
export function readQuery(query: string): { selectors: Selector[]; groupedBy: string[] } {
  const tokens = tokenize(query)
  const selectors: Selector[] = []
  const groupedBy: string[] = []
  let at = 0
  const next = () => tokens[at++] ?? ''
  const expect = (token: string) => {
    const found = next()
    if (found !== token) throw new Error(`"${token}" expected, not "${found}", in ${query}`)
  }
  while (at < tokens.length) {
    const token = next()
    if (!/^[a-zA-Z_:]/.test(token)) continue
    if (OPERATORS.has(token)) continue
    if (GROUPINGS.has(token)) {
      expect('(')
      for (let label = next(); label !== ')'; label = next()) if (label !== ',') groupedBy.push(label)
    } else if (tokens[at] !== '(' && !GROUPINGS.has(tokens[at] ?? '')) {
      const matchers: Selector['matchers'] = []
      if (tokens[at] === '{') {
        at++
        for (let label = next(); label !== '}'; label = next()) {
          if (label === ',') continue
          const operator = next()
          matchers.push({ label, operator, value: JSON.parse(next()) as string })
        }
      }
      selectors.push({ metric: token, matchers })
    }
  }
  return { selectors, groupedBy }
}

function tokenize(query: string): string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < query.length) {
    const from = TOKEN.lastIndex
    const match = TOKEN.exec(query)
    if (!match) throw new Error(`no PromQL at "${query.slice(from)}"`)
    if (match[0].trim() !== '') tokens.push(match[0])
  }
  return tokens
}
