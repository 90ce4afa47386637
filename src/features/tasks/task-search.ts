import sql, { type Sql } from 'sql-template-tag'

/**
 * A ninth of all numbers begins with a 1: whoever looks for "step 1" means that, and PostgreSQL, which keeps no
 * figures on numbers that are all different, would take what it finds for little, and read and sort it all.
 */
const SHORT_NUMBER = /^\p{N}{1,2}$/u

/**
 * What is searched for, as a `tsquery`: all words of a text, by their stems, and the last one as the
 * beginning of a word, but for a number of one or two digits. A word is letters and digits only, so that
 * nothing in it means anything to PostgreSQL. Without any word it matches nothing.
 */
export function searchQuery(text: string): Sql {
  const words = text.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  // As in the column `search`, the two ways to write a Russian word are one.
  const terms = words.map((word) => word.replaceAll('ё', 'е').replaceAll('Ё', 'Е'))
  const isBeginning = terms.length > 0 && !SHORT_NUMBER.test(terms.at(-1)!)
  return sql`to_tsquery('task_words', ${`${terms.join(' & ')}${isBeginning ? ':*' : ''}`})`
}
