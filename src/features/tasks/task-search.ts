import sql, { type Sql } from 'sql-template-tag'

/**
 * A ninth of all numbers begins with a 1, but a search for "step 1" means the number 1. PostgreSQL keeps no statistics
 * of values that are all different, so it would expect few matches of a prefix, and read and sort all of them.
 */
const SHORT_NUMBER = /^\p{N}{1,2}$/u

/**
 * Returns a `tsquery` of all words of a text, by their stems. The last word matches as a prefix, except for a number
 * of one or two digits. A word has letters and digits only, so that no character in it is an operator of PostgreSQL.
 * A text without words matches nothing.
 */
export function searchQuery(text: string): Sql {
  const words = text.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  // The letters ё and е count as equal, as in the column `search`.
  const terms = words.map((word) => word.replaceAll('ё', 'е').replaceAll('Ё', 'Е'))
  const isBeginning = terms.length > 0 && !SHORT_NUMBER.test(terms.at(-1)!)
  return sql`to_tsquery('task_words', ${`${terms.join(' & ')}${isBeginning ? ':*' : ''}`})`
}
