import { isIP, type LookupFunction } from 'node:net'
import { guardedLookup, type Reach, reachOf } from './address.ts'

/** Decides which hosts are called on behalf of users. */
export interface AddressGuard {
  /** Whether a URL leads, by its host alone, where nothing may be called; names are looked up when connecting. */
  refuses(url: URL): boolean
  /** For connections: lets only addresses through that may be called. */
  lookup: LookupFunction
}

/**
 * Lets through public addresses, and whatever the hosts in `allowed` lead to: names, or addresses in
 * their canonical form. A name that is allowed does not lead to link-local addresses all the same.
 */
export function createAddressGuard(allowed: readonly string[]): AddressGuard {
  const names = new Set(allowed)
  const isPublic = guardedLookup((reach) => reach === 'public')
  const isMeant = guardedLookup((reach: Reach) => reach !== 'forbidden')
  return {
    refuses({ hostname }) {
      const host = hostname.replace(/^\[|\]$/g, '')
      if (names.has(host)) return false
      return isIP(host) ? reachOf(host) !== 'public' : /(^|\.)localhost\.?$/.test(host)
    },
    lookup: (hostname, options, callback) =>
      (names.has(hostname) ? isMeant : isPublic)(hostname, options, callback),
  }
}
