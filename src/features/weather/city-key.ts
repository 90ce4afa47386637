/** Returns the key of a city: equal for spellings that differ only in case, blanks and Unicode form. */
export function cityKey(city: string): string {
  const folded = city.normalize('NFKC').toLowerCase().normalize('NFKC')
  return folded.replace(/\s+/gu, ' ').trim()
}
