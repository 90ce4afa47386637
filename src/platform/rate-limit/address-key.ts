import ipaddr from 'ipaddr.js'

/** Number of groups of a /64. A network usually gives a /64 to one customer, who can use all of its addresses. */
const NETWORK_GROUPS = 4

/** Maximum number of cached keys, about 1 MB. Parsing an address takes 7 µs. */
const found = new Map<string, string>()
const MAX_FOUND = 5_000

/**
 * Returns the key of an address for a limiter: an IPv4 address itself, also if it is mapped into IPv6, or the /64 of
 * an IPv6 address. Other text is returned unchanged.
 */
export function addressKey(ip: string): string {
  if (!ip.includes(':')) return ip
  let key = found.get(ip)
  if (key === undefined) {
    key = ipaddr.isValid(ip) ? networkOf(ip) : ip
    if (found.size >= MAX_FOUND) found.clear()
    found.set(ip, key)
  }
  return key
}

function networkOf(ip: string): string {
  const address = ipaddr.process(ip)
  if (address instanceof ipaddr.IPv4) return address.toString()
  const network = address.parts.slice(0, NETWORK_GROUPS).map((group) => group.toString(16))
  return `${network.join(':')}::/64`
}
