import { type LookupAddress, lookup as resolveName } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** What of IPv4 is not the public internet. */
const NOT_PUBLIC = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** All public IPv6 is in here, and no other way to write IPv4 (::ffff:0:0/96, 64:ff9b::/96). */
const PUBLIC_6 = ['2000::/3'];
/** But for Teredo and its neighbours, 6to4, and what documents may use. */
const NOT_PUBLIC_6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

/** An address that people gave us leads where they have no business. */
export class AddressNotPublicError extends Error {
  override readonly name = 'AddressNotPublicError';
}

/** Whether text is a network such as `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= most && rest.length === 0;
}

/** Decides which addresses may be connected to: the public internet, and the networks that are let through. */
export class AddressGuard {
  readonly #allowed: BlockList;
  readonly #private = networks(NOT_PUBLIC);
  readonly #public6 = networks(PUBLIC_6);
  readonly #private6 = networks(NOT_PUBLIC_6);

  constructor(allowed: readonly string[]) {
    this.#allowed = networks(allowed);
  }

  allows(address: string): boolean {
    const family = familyOf(address);
    if (this.#allowed.check(address, family)) return true;
    if (family === 'ipv4') return !this.#private.check(address, family);
    return this.#public6.check(address, family) && !this.#private6.check(address, family);
  }

  /** The URL's host where that is an address, in whatever spelling: names are looked up to connect. */
  allowsHostOf(url: URL): boolean {
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    return isIP(host) === 0 || this.allows(host);
  }

  /**
   * For the `lookup` of a connection: it connects to what this gives and to nothing else, so a name that
   * leads elsewhere the next time it is asked for changes nothing.
   */
  lookup(resolve: typeof resolveName = resolveName): LookupFunction {
    return (hostname, options, callback) => {
      resolve(hostname, { ...options, all: true }, (error, found) => {
        if (error) return callback(error, '');
        const open = (found as LookupAddress[]).filter(({ address }) => this.allows(address));
        const [first] = open;
        if (!first) return callback(new AddressNotPublicError(hostname), '');
        if (options.all) return callback(null, open);
        callback(null, first.address, first.family);
      });
    };
  }
}

function networks(all: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of all) {
    const [address = '', bits] = network.split('/');
    list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}
