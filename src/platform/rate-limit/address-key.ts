import ipaddr from 'ipaddr.js'

/** Groups of the /64 that a network usually gives to one customer, who has all of its addresses. */
const NETWORK_GROUPS = 4

/** Parsing takes 7 µs, so what was found is kept, until it is about 1 MB. */
const found = new Map<string, string>()
const MAX_FOUND = 5_000

/**
 * Who an address is, to a limiter: an IPv4 address as it is, also where it is mapped into IPv6, and
 * for IPv6 its /64. What is no address is left as it is.
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
