import sql, { type Sql } from 'sql-template-tag'

/**
 * What is searched for, as a `tsquery`: all words of a text, by their stems, and the last one as the
 * beginning of a word. A word is letters and digits only, so that nothing in it means anything to
 * PostgreSQL. Without any word it matches nothing.
 */
export function searchQuery(text: string): Sql {
  const words = text.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  // As in the column `search`, the two ways to write a Russian word are one.
  const terms = words.map((word) => word.replaceAll('ё', 'е').replaceAll('Ё', 'Е'))
  return sql`to_tsquery('task_words', ${terms.length === 0 ? '' : `${terms.join(' & ')}:*`})`
}
