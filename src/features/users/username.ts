/** Returns the name as it is stored and shown: in NFKC. */
export function canonicalUsername(name: string): string {
  return name.normalize('NFKC')
}

/**
 * Returns the key by which names are unique. It is equal for names that differ only in case or Unicode form.
 * RFC 8265 UsernameCaseMapped folds by toLowerCase, which distinguishes `STRASSE` from `straße` and `ΣΟΦΟΣ` from
 * `σοφοσ`. Folding through upper case makes it the full folding of UTS #39 and UAX #31 (NFKC_Casefold), and
 * also makes `ı` an `i`. Letters of two scripts that look alike (`а` and `a`) stay two letters.
 */
export function usernameKey(name: string): string {
  // Lower case first: the capital ẞ has no other upper case, its small ß has (SS).
  return canonicalUsername(canonicalUsername(name).toLowerCase().toUpperCase().toLowerCase())
}

/**
 * Returns true for 3 to 64 letters and digits of any script and `._-`, counted as code points of the canonical name.
 * Marks may follow a letter but not begin a name. Invisible letters and marks are not allowed.
 */
export function isUsername(name: string): boolean {
  return /^(?!\p{M})[[\p{L}\p{M}\p{Nd}._\-]--\p{Default_Ignorable_Code_Point}]{3,64}$/v.test(
    canonicalUsername(name),
  )
}
