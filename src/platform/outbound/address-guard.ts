import { isIP, type LookupFunction } from 'node:net'
import { guardedLookup, type Reach, reachOf } from './address.ts'

/** Decides which hosts may be called on behalf of users. */
export interface AddressGuard {
  /** Returns true if the host of a URL is an IP address that may not be called. Names are checked when connecting. */
  refuses(url: URL): boolean
  /** A `lookup` for connections that returns only allowed addresses. */
  lookup: LookupFunction
}

/**
 * Allows public addresses, and the addresses of the hosts in `allowed`: names, or IP addresses in canonical form.
 * Link-local addresses stay forbidden even for an allowed name.
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
