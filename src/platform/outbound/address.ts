import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

export type Reach = 'public' | 'private' | 'forbidden'

/**
 * Classifies an IP address (IANA special-purpose registries): the public internet, this machine and its private
 * networks, or never allowed, such as link-local cloud metadata.
 */
export function reachOf(address: string): Reach {
  if (!ipaddr.isValid(address)) return 'forbidden'
  const parsed = ipaddr.process(address)
  const range = parsed.range()
  // Only 2000::/3 is global unicast in IPv6; ::/96 once contained IPv4 addresses.
  if (range === 'unicast')
    return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_UNICAST) ? 'public' : 'forbidden'
  return range === 'loopback' || range === 'private' || range === 'uniqueLocal' ? 'private' : 'forbidden'
}

/** Thrown if a host resolves to an address that may not be called. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'

  constructor(host: string, address: string) {
    super(
      host === address
        ? `${host} is not an address that may be called`
        : `${host} leads to ${address}, which may not be called`,
    )
  }
}

/**
 * Returns a `lookup` for connections that returns only allowed addresses. The connection uses the checked address,
 * so a name cannot change its address in between (DNS rebinding).
 */
export function guardedLookup(allows: (reach: Reach) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = (found ?? []) as LookupAddress[]
      const refused = addresses.find(({ address }) => !allows(reachOf(address)))
      if (error) callback(error, '', 0)
      else if (refused) callback(new AddressRefused(hostname, refused.address), '', 0)
      else if (options.all) callback(null, addresses)
      else callback(null, addresses[0]!.address, addresses[0]!.family)
    })
  }
}
